"""Secrets of a stack: how they are, and rotating one by the way that Secrets Manager's own rotations go.

A new value is put beside the one in use (AWSPENDING). The function that needs it reads it there and asks
Slack or Claude whether they take it; only then does it become current, in both regions. If a function cannot
use it, the version before is put back. No value is read, printed or logged here.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import is_absent, passes
from clients.deployment import Deployment
from clients.waiting import wait_for
from handlers.settings import variable
from topology.errors import ExplainedError
from topology.functions import ANALYSIS, DISTRIBUTION, FunctionSpec
from topology.names import LIVE_ALIAS
from topology.secret_checks import CHECK_SECRET, CURRENT, PENDING

USED_WITHIN_S: Final = 120.0
"""For the replica to follow, and for a function of each region to have used the new version."""

MAX_VALUE_CHARS: Final = 4_096

_BEGINNINGS: Final = {"slack-bot": "xoxb-", "anthropic": "sk-ant-"}
"""https://docs.slack.dev/authentication/tokens/ and https://platform.claude.com/docs/en/api/overview"""


class SecretError(ExplainedError):
    """The secret cannot be rotated so; the message says what is as it was, and what to do."""


@dataclass(frozen=True, kw_only=True)
class StackSecret:
    """A secret of a stack, by its word on the command line. A good value has that `beginning`."""

    word: str
    name: str
    function: FunctionSpec
    beginning: str


@dataclass(frozen=True, kw_only=True)
class SecretState:
    """A secret in one region. `version`: the current one's id; None without a value, or where unknown.

    `error`: why nothing is known; `problem`: why the function cannot use it, None if it was not asked.
    """

    region: str
    version: str | None = None
    pending: bool = False
    changed_at: datetime | None = None
    error: str = ""
    problem: str | None = None


@dataclass(kw_only=True)
class Rotation:
    """What came of a rotation. `problems` by region: why its function does not use the new version."""

    name: str
    version: str
    previous: str | None
    problems: dict[str, str] = field(default_factory=dict)
    rolled_back: bool = False


class StackSecrets:
    """The secrets of one stack, and the functions that read them."""

    def __init__(self, deployment: Deployment) -> None:
        """Nothing is asked yet."""
        self._deployment = deployment
        self._primary = deployment.primary.region

    def all(self) -> list[StackSecret]:
        """Every secret, those of routes by their names without the stack's prefix.

        Raises:
            SecretError: no region says how its functions are set up.
        """
        names, variables = self._deployment.names, self._variables()
        origin, token = (
            variables[variable("slack_webhook_origin")],
            variables[variable("slack_bot_token_secret")],
        )
        webhooks = {"slack": names.slack_webhook_secret}
        webhooks |= {
            name.removeprefix(f"{names.secret_prefix}/"): name for name in self._deployment.route_secrets
        }
        found = [
            StackSecret(word=word, name=name, function=DISTRIBUTION, beginning=origin)
            for word, name in webhooks.items()
        ]
        if token:
            found.append(_fixed("slack-bot", token, DISTRIBUTION))
        return [*found, _fixed("anthropic", names.anthropic_key_secret, ANALYSIS)]

    def states(self, secret: StackSecret, *, checking: bool) -> list[SecretState]:
        """The secret in both regions; `checking` has its function ask Slack or Claude about it."""
        regions = [endpoints.region for endpoints in self._deployment.regions]
        with ThreadPoolExecutor(len(regions)) as pool:
            return list(pool.map(lambda region: self._state(secret, region, checking=checking), regions))

    def rotate(
        self, secret: StackSecret, value: str, *, say: Callable[[str], Any] = lambda _: None
    ) -> Rotation:
        """Make `value` the current one in both regions, or leave what was. `say` is told of each step.

        A region that does not answer is among the `problems`, and nothing is rolled back for it: it reads the
        new version when it is back.

        Raises:
            SecretError: the value was not taken, or no version could be made current.
        """
        _check_shape(secret, value)
        manager = self._deployment.clients.client("secretsmanager", self._primary)
        try:
            previous = _version(manager.describe_secret(SecretId=secret.name), CURRENT)
            say(f"putting the value beside the current one in {self._primary}")
            version = manager.put_secret_value(
                SecretId=secret.name, SecretString=value, VersionStages=[PENDING]
            )["VersionId"]
        except (ClientError, BotoCoreError) as error:
            raise SecretError(
                f"{secret.name} was not written, and is as it was: {_reason(error)}; {_step(error)}"
            ) from error
        rotation = Rotation(name=secret.name, version=version, previous=previous)
        try:
            say(f"having {secret.function.suffix} in {self._primary} try it")
            answer = self._asked(secret, self._primary, PENDING)
        except (ClientError, BotoCoreError) as error:
            raise SecretError(f"it was not tried, and {_left(rotation)}: {_reason(error)}") from error
        else:
            if answer["problem"] or answer["version"] != version:
                raise SecretError(
                    f"the value was not taken, and {_left(rotation)}: "
                    f"{answer['problem'] or 'the function read another version'}"
                )
            _make_current(manager, secret, version, of=previous)
        finally:
            _drop_pending(manager, secret, version)
        try:
            self._wait_until_used(secret, rotation, say)
        except BaseException:
            self._roll_back(manager, secret, rotation, say)
            raise
        if any(problem != _SILENT for problem in rotation.problems.values()):
            self._roll_back(manager, secret, rotation, say)
        return rotation

    def _wait_until_used(self, secret: StackSecret, rotation: Rotation, say: Callable[[str], Any]) -> None:
        for endpoints in self._deployment.regions:
            say(f"waiting until {secret.function.suffix} in {endpoints.region} uses it")

            def ask(region: str = endpoints.region) -> Mapping[str, str]:
                return self._asked(secret, region, CURRENT)

            try:
                answer = wait_for(
                    ask,
                    lambda one: one["version"] == rotation.version and not one["problem"],
                    within_s=USED_WITHIN_S,
                )
            except (ClientError, BotoCoreError):
                rotation.problems[endpoints.region] = _SILENT
                continue
            if answer["version"] != rotation.version:
                rotation.problems[endpoints.region] = "it still reads the version before"
            elif answer["problem"]:
                rotation.problems[endpoints.region] = answer["problem"]

    def _roll_back(
        self, manager: Any, secret: StackSecret, rotation: Rotation, say: Callable[[str], Any]
    ) -> None:
        if rotation.previous is None:
            return  # there is nothing to go back to
        say("putting the version before back")
        _make_current(manager, secret, rotation.previous, of=rotation.version)
        rotation.rolled_back = True

    def _state(self, secret: StackSecret, region: str, *, checking: bool) -> SecretState:
        try:
            described = self._deployment.clients.client("secretsmanager", region).describe_secret(
                SecretId=secret.name
            )
            problem = self._asked(secret, region, CURRENT)["problem"] if checking else None
        except (ClientError, BotoCoreError) as error:
            return SecretState(region=region, error=_reason(error))
        except SecretError as error:
            return SecretState(region=region, error=str(error))
        return SecretState(
            region=region,
            version=_version(described, CURRENT),
            pending=_version(described, PENDING) is not None,
            changed_at=described.get("LastChangedDate"),
            problem=problem,
        )

    def _asked(self, secret: StackSecret, region: str, stage: str) -> Mapping[str, str]:
        """What the function of a region answers about a version of the secret.

        Raises:
            SecretError: what is deployed there does not know the question.
        """
        answer = self._deployment.clients.client("lambda", region).invoke(
            FunctionName=self._deployment.names.function(secret.function),
            Qualifier=LIVE_ALIAS,
            Payload=json.dumps({CHECK_SECRET: {"name": secret.name, "stage": stage}}).encode(),
        )
        content = json.loads(answer["Payload"].read())
        if answer.get("FunctionError") or not {"version", "problem"} <= content.keys():
            raise SecretError(
                f"{secret.function.suffix} in {region} cannot say; deploy this version there first"
            )
        return {"version": str(content["version"]), "problem": str(content["problem"])}

    def _variables(self) -> Mapping[str, str]:
        for endpoints in self._deployment.regions:
            try:
                return self._deployment.environment(DISTRIBUTION, endpoints.region)
            except (ClientError, BotoCoreError) as error:
                last = error
        raise SecretError(f"no region says which secrets there are: {_reason(last)}; {_step(last)}") from last


_SILENT: Final = "it does not answer"


def _fixed(word: str, name: str, function: FunctionSpec) -> StackSecret:
    return StackSecret(word=word, name=name, function=function, beginning=_BEGINNINGS[word])


def _check_shape(secret: StackSecret, value: str) -> None:
    """The text of the error has nothing of the value in it."""
    if not value.isascii() or not value.isprintable() or " " in value or len(value) > MAX_VALUE_CHARS:
        raise SecretError(
            f"the value is not one word of at most {MAX_VALUE_CHARS} ASCII characters; nothing was done"
        )
    if not value.startswith(secret.beginning) or value == secret.beginning:
        raise SecretError(f"the value of {secret.word} begins with {secret.beginning}; nothing was done")


def _version(described: Mapping[str, Any], stage: str) -> str | None:
    versions = described.get("VersionIdsToStages") or {}
    return next((version for version, stages in versions.items() if stage in stages), None)


def _left(rotation: Rotation) -> str:
    """What is current after a value that was not taken. AWS makes a secret's first value current by itself.

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
    """
    if rotation.previous is None:
        return f"{rotation.name}, which had no value, has this one until another is put"
    return f"{rotation.name} is as it was"


def _make_current(manager: Any, secret: StackSecret, version: str, *, of: str | None) -> None:
    """Move the label from the version `of`.

    Raises:
        SecretError: it was not moved, or nobody knows. A move of which only the answer was lost is done.
    """
    wanted = {"MoveToVersionId": version} | ({"RemoveFromVersionId": of} if of is not None else {})
    try:
        manager.update_secret_version_stage(SecretId=secret.name, VersionStage=CURRENT, **wanted)
    except (ClientError, BotoCoreError) as error:
        with suppress(ClientError, BotoCoreError):
            if _version(manager.describe_secret(SecretId=secret.name), CURRENT) == version:
                return
        raise SecretError(
            f"the version {version} of {secret.name} was not made current: {_reason(error)}; see "
            "`responder secrets status`, then rotate again"
        ) from error


def _drop_pending(manager: Any, secret: StackSecret, version: str) -> None:
    """Take the label off, so that the version is gone or only current. One that stays harms nobody."""
    with suppress(ClientError, BotoCoreError):
        manager.update_secret_version_stage(
            SecretId=secret.name, VersionStage=PENDING, RemoveFromVersionId=version
        )


def _step(error: ClientError | BotoCoreError) -> str:
    status = "run it again when `responder dr status` says that the region answers"
    return status if passes(error) else "put that right, then run it again"


def _reason(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError) and is_absent(error):
        return "there is no such secret; deploy the stack again"
    return str(error)
