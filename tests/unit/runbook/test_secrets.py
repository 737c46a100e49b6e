"""Rotating a secret, on Secrets Manager's own rules, by moto: tried first, current in both, or as it was."""

import io
import json
import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner, Result

from clients.deployment import Deployment
from handlers.settings import variable
from ops.cli import app
from ops.hints import act_on
from ops.runbook import secrets_commands
from runbook import secrets as module
from runbook.secrets import SecretError, StackSecret, StackSecrets
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from topology.functions import DISTRIBUTION
from topology.secret_checks import CHECK_SECRET, CURRENT, PENDING

ORIGIN = "https://hooks.slack.com/"
OLD, NEW = f"{ORIGIN}services/OLD", f"{ORIGIN}services/NEW"


class Functions:
    """The functions of both regions: each reads the secret, and answers what is scripted for its stage.

    `refusals` by region and stage. A region in `stale` reads the version before. `silent`: cannot be reached.
    `old`: of a release that does not know the question.
    """

    def __init__(self, deployment: Deployment) -> None:
        """Every value is taken."""
        self.deployment = deployment
        self.refusals: dict[tuple[str, str], str] = {}
        self.stale: set[str] = set()
        self.silent: set[str] = set()
        self.old: set[str] = set()

    def invoke(self, region: str, **request: Any) -> dict[str, Any]:
        """Lambda's Invoke in a region."""
        if region in self.silent:
            raise EndpointConnectionError(endpoint_url=f"lambda of {region}")
        if region in self.old:
            return {"Payload": io.BytesIO(b'{"batchItemFailures": []}')}
        asked = json.loads(request["Payload"])[CHECK_SECRET]
        stage = "AWSPREVIOUS" if region in self.stale and asked["stage"] == CURRENT else asked["stage"]
        manager = LossyClients.client(self.deployment.clients, "secretsmanager", PRIMARY)
        version = manager.get_secret_value(SecretId=asked["name"], VersionStage=stage)["VersionId"]
        answer = {"version": version, "problem": self.refusals.get((region, asked["stage"]), "")}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def functions(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """A stack whose Slack webhook is OLD; waiting for a function takes no time."""
    functions = Functions(deployment)
    ask, clients = deployment.clients.client, deployment.clients
    variables = {variable("slack_webhook_origin"): ORIGIN, variable("slack_bot_token_secret"): ""}

    def client(service: str, region: str) -> Any:
        if service != "lambda":
            return ask(service, PRIMARY)  # whose secrets are replicated at once
        return SimpleNamespace(
            invoke=lambda **request: functions.invoke(region, **request),
            get_function_configuration=lambda **_: {"Environment": {"Variables": variables}},
        )

    monkeypatch.setattr(clients, "client", client)
    monkeypatch.setattr(module, "USED_WITHIN_S", 0.0)
    manager = ask("secretsmanager", PRIMARY)
    manager.create_secret(Name=deployment.names.slack_webhook_secret, SecretString=OLD)
    return functions


def slack(functions: Functions) -> tuple[StackSecrets, StackSecret]:
    """The secret of Slack's webhook."""
    secrets = StackSecrets(functions.deployment)
    return secrets, next(one for one in secrets.all() if one.word == "slack")


def current(functions: Functions, stage: str = CURRENT) -> str:
    """The value that is stored."""
    manager = functions.deployment.clients.client("secretsmanager", PRIMARY)
    name = functions.deployment.names.slack_webhook_secret
    return str(manager.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])


def test_a_value_that_is_taken_becomes_current(functions: Functions) -> None:
    """Both regions' functions have used it, nothing is left pending, and no step names the value."""
    secrets, secret = slack(functions)
    steps: list[str] = []
    done = secrets.rotate(secret, NEW, say=steps.append)
    assert (current(functions), done.problems, done.rolled_back) == (NEW, {}, False)
    with pytest.raises(ClientError):
        current(functions, PENDING)
    assert NEW not in " ".join(steps)
    assert steps


def test_a_value_that_is_refused_was_never_current(functions: Functions) -> None:
    """By the function that tries it; the next step is in its own words."""
    functions.refusals[PRIMARY, PENDING] = "Slack refuses the webhook: 403 'invalid_token'"
    secrets, secret = slack(functions)
    with pytest.raises(SecretError, match="is as it was: Slack refuses the webhook"):
        secrets.rotate(secret, NEW)
    assert current(functions) == OLD


class LostAnswers:
    """Secrets Manager that does what it is told, or with `refuses` does not, and whose answer is lost."""

    def __init__(self, manager: Any, *, refuses: bool) -> None:
        """All other calls are answered."""
        self._manager, self._refuses = manager, refuses

    def __getattr__(self, name: str) -> Any:
        """The client's call."""
        return getattr(self._manager, name)

    def update_secret_version_stage(self, **request: Any) -> None:
        """See AWS."""
        if not self._refuses:
            self._manager.update_secret_version_stage(**request)
        raise EndpointConnectionError(endpoint_url="secretsmanager")


@pytest.mark.parametrize("refuses", [False, True])
def test_a_lost_answer_is_looked_up(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, *, refuses: bool
) -> None:
    """A version that was made current all the same is waited for; one that was not is said not to be."""
    secrets, secret = slack(functions)
    clients, ask = functions.deployment.clients, functions.deployment.clients.client
    monkeypatch.setattr(
        clients,
        "client",
        lambda service, region: (
            LostAnswers(ask(service, region), refuses=refuses)
            if service == "secretsmanager"
            else ask(service, region)
        ),
    )
    if refuses:
        with pytest.raises(SecretError, match=r"not made current.*`responder secrets status`"):
            secrets.rotate(secret, NEW)
    else:
        assert secrets.rotate(secret, NEW).problems == {}
    assert current(functions) == (OLD if refuses else NEW)


def test_a_first_value_that_is_refused_is_not_said_to_be_gone(functions: Functions) -> None:
    """AWS makes it current by itself, and there is none to go back to."""
    functions.refusals[PRIMARY, PENDING] = "Claude answered 401"
    manager = functions.deployment.clients.client("secretsmanager", PRIMARY)
    secrets = StackSecrets(functions.deployment)
    (key,) = [one for one in secrets.all() if one.word == "anthropic"]
    manager.create_secret(Name=key.name)
    with pytest.raises(SecretError, match="which had no value, has this one until another is put: Claude"):
        secrets.rotate(key, "sk-ant-first")


@pytest.mark.parametrize("why", ["refused", "stale"])
def test_a_function_that_cannot_use_it_puts_the_old_one_back(functions: Functions, why: str) -> None:
    """Of either region, though the primary's had taken it."""
    if why == "refused":
        functions.refusals[FAILOVER, CURRENT] = "the secret cannot be read: AccessDenied"
    else:
        functions.stale.add(FAILOVER)
    secrets, secret = slack(functions)
    done = secrets.rotate(secret, NEW)
    assert (current(functions), done.rolled_back, [*done.problems]) == (OLD, True, [FAILOVER])


def test_a_region_that_is_away_hinders_no_rotation(functions: Functions) -> None:
    """A key that has leaked has to go; the region reads the new one when it is back, and is named."""
    functions.silent.add(FAILOVER)
    secrets, secret = slack(functions)
    done = secrets.rotate(secret, NEW)
    assert (current(functions), done.rolled_back, [*done.problems]) == (NEW, False, [FAILOVER])


def test_an_interruption_while_it_waits_puts_the_old_one_back(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves nothing half done."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "wait_for", interrupted)
    secrets, secret = slack(functions)
    with pytest.raises(KeyboardInterrupt):
        secrets.rotate(secret, NEW)
    assert current(functions) == OLD


@pytest.mark.parametrize(
    "value", ["", "https://elsewhere/", ORIGIN, NEW + " x", NEW + "\n", ORIGIN + "é", "x" * 5_000]
)
def test_a_value_of_another_shape_is_refused_unsent(functions: Functions, value: str) -> None:
    """Without a word of it in the error."""
    secrets, secret = slack(functions)
    with pytest.raises(SecretError, match="nothing was done") as refused:
        secrets.rotate(secret, value)
    assert current(functions) == OLD
    assert "elsewhere" not in str(refused.value)


def test_states_tell_what_is_missing_and_what_is_away(functions: Functions) -> None:
    """A region that does not answer is unknown; the key of Claude has no value yet."""
    functions.silent.add(FAILOVER)
    secrets, secret = slack(functions)
    functions.old.add(PRIMARY)
    here, away = secrets.states(secret, checking=True)
    assert "DistributionFunction in us-east-1 cannot say" in here.error
    functions.old.clear()
    here, away = secrets.states(secret, checking=True)
    assert (here.error, here.problem) == ("", "")
    assert here.version
    assert "us-west-2" in away.error
    (key,) = [one for one in secrets.all() if one.word == "anthropic"]
    assert all(state.error for state in secrets.states(key, checking=False))
    assert DISTRIBUTION is secret.function


@pytest.fixture
def typed(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Type `responder secrets` on that stack, with a value on standard input."""
    opened = SimpleNamespace(deployment=functions.deployment, emulator=None)
    monkeypatch.setattr(secrets_commands, "open_stack", lambda *_, **__: opened)
    return lambda *words, value="": CliRunner().invoke(app, ["secrets", *words], input=value)


def test_a_value_typed_for_a_name_is_not_repeated(typed: Callable[..., Result]) -> None:
    """It would be in whatever keeps the output."""
    done = typed("rotate", NEW)
    assert done.exit_code == 2
    assert "there is no such secret" in done.output
    assert NEW not in done.output


def test_the_next_step_is_for_the_same_stack(typed: Callable[..., Result], functions: Functions) -> None:
    """Pasted, it asks about the stack whose secret it was."""
    functions.silent.add(FAILOVER)
    act_on("--stack dev")
    done = typed("rotate", "slack", "--yes", value=NEW + "\n")
    assert done.exit_code == 1
    assert "it does not answer; `responder secrets status --check --stack dev` asks again" in done.stderr


def test_a_rotation_that_is_told_to_stop_puts_the_old_value_back(
    typed: Callable[..., Result], functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SIGTERM, as by Ctrl-C."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody minds SIGTERM"))
    monkeypatch.setattr(module, "wait_for", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    try:
        done = typed("rotate", "slack", "--yes", value=NEW + "\n")
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])
    assert done.exit_code != 0
    assert current(functions) == OLD
    assert NEW not in done.output


def test_what_slack_answers_is_shown_as_it_is(typed: Callable[..., Result], functions: Functions) -> None:
    """In brackets it is no markup of ours, which would end the command or be left out."""
    functions.refusals[PRIMARY, CURRENT] = "Slack refuses the webhook: 403 [/red][bold]no"
    functions.deployment.clients.client("secretsmanager", PRIMARY).create_secret(
        Name=functions.deployment.names.anthropic_key_secret, SecretString="sk-ant-x"
    )
    done = typed("status", "--check")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "[/red][bold]no" in "".join(done.stdout.split())
