"""What each command of the runbook says where it is used badly or AWS is not there: one line, a next step."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from typer.main import get_command

from clients.aws import AwsClients
from clients.interrupts import INTERRUPTED_CODE
from ops.cli import app
from tests.contract.test_commands import walk
from tests.emulator.stack.conftest import Done, in_this_process
from topology.outputs import ALL

GROUPS = {
    "alerts", "cache", "contacts", "dashboard", "diagnose", "dlq", "health", "logs", "maintenance", "queue",
    "secrets", "why",
}  # fmt: skip
COMMANDS = {
    "alerts list": [], "alerts show": ["abc"], "alerts send": ["--title", "x"],
    "alerts ack": ["abc", "--by", "me"], "alerts snooze": ["abc", "--by", "me", "--for", "1h"],
    "cache stats": [], "cache clear": ["--yes"],
    "contacts": [],
    "dashboard": [],
    "diagnose": [], "diagnose slack": [],
    "dlq list": [], "dlq show": ["abc"], "dlq redrive": ["--yes"], "dlq drop": ["--all", "--yes"],
    "health check": [], "health daily": [],
    "logs tail": [], "logs retention": [],
    "maintenance retention": [], "maintenance sizes": [],
    "queue purge": ["processing", "--yes"],
    "secrets status": [], "secrets rotate": ["slack", "--yes"],
    "why": ["x"],
}  # fmt: skip
"""With what has to be typed besides."""

CHECKS = {"diagnose", "diagnose slack", "health check", "health daily", "maintenance retention"}
"""These tell on stdout, check by check, what is unknown and what to do."""

LINE_MAX = 600
NEXT = ("next: ", "; ", "with `responder ")
"""What a next step comes after."""

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
every_command = pytest.mark.parametrize("words", COMMANDS)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A terminal in which no line is folded, a folder to write to, and nobody's credentials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def outputs(tmp_path: Path) -> str:
    """A stack's outputs, as `pulumi stack output --json` writes them; no webhook answers."""
    values = dict.fromkeys(ALL, "unused") | {
        "Stack": "dev", "PrimaryRegion": PRIMARY, "FailoverRegion": FAILOVER, "LedgerConsistency": "strong",
    }  # fmt: skip
    for region, prefix in ((PRIMARY, ""), (FAILOVER, "Failover")):
        values |= {f"{prefix}{name}": f"http://127.0.0.1:1/{name}" for name in ("WebhookUrl", "HealthUrl")}
        values[f"{prefix}AlarmTopicArn"] = f"arn:aws:sns:{region}:123456789012:alarms"
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    return str(file)


Troubles = Callable[[Callable[[str], Any]], None]


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Troubles:
    """Have each call of AWS end as the given function of its region does, in place of being sent."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebody")

    def install(trouble: Callable[[str], Any]) -> None:
        class Troubled(AwsClients):
            def client(self, service: str, region: str) -> Any:
                client = super().client(service, region)
                client.meta.events.register("before-call", lambda **_: trouble(region), unique_id="trouble")
                return client

        monkeypatch.setattr("ops.opened_stack.AwsClients", Troubled)

    return install


def throttled(_: str) -> Any:
    """As botocore raises it after its last try."""
    error = {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    return SimpleNamespace(status_code=400), {"Error": error, "ResponseMetadata": {"HTTPStatusCode": 400}}


def unreachable(region: str) -> Any:
    """Nothing listens there."""
    raise EndpointConnectionError(endpoint_url=f"https://aws.{region}.example/")


def interrupted(_: str) -> Any:
    """Ctrl-C while AWS is asked."""
    raise KeyboardInterrupt


def type_in(words: str, *options: str) -> Done:
    """Type the command, with a secret's value on standard input."""
    typed = "http://hooks.slack.test/services/x/y/z\n"
    return in_this_process(*words.split(), *COMMANDS[words], *options, typed=typed)


def told(done: Done, *, lines_max: int = 1) -> str:
    """The first line on stderr, without Typer's usage and box; each is short, and has a next step."""
    usage = ("Usage: ", "Try ", "╭", "╰")
    lines = [line.strip("│ ") for line in done.stderr.splitlines() if not line.startswith(usage)]
    assert 1 <= len(lines) <= lines_max, done.stderr
    for line in lines:
        assert len(line) <= LINE_MAX
        assert any(step in line for step in NEXT), line
    return lines[0]


def test_the_table_has_every_command_of_the_runbook() -> None:
    """So that a new one is in it."""
    known = {command.words for command in walk(get_command(app))}
    assert {words for words in known if words.split()[0] in GROUPS} == COMMANDS.keys()


@every_command
def test_without_credentials_one_is_told_to_log_in(words: str, outputs: str) -> None:
    """Before anything is asked; whom to call is known all the same."""
    done = type_in(words, "--outputs", outputs)
    if words == "contacts":
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert "no AWS credentials; log in" in told(done)


@every_command
def test_a_wrong_name_is_told_with_the_right_ones(words: str) -> None:
    """It is wrong use."""
    done = type_in(words, "--stack", "prodd")
    assert (done.returncode, done.stdout) == (2, "")
    assert "or name a stack: " in (line := told(done))
    assert "prodd" in line


@every_command
@pytest.mark.parametrize("content", [b'{"Stack": "pro', b"[]"])
def test_a_damaged_file_of_outputs_is_told_with_what_writes_one(
    words: str, content: bytes, tmp_path: Path
) -> None:
    """It is wrong use."""
    file = tmp_path / "damaged.json"
    file.write_bytes(content)
    done = type_in(words, "--outputs", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "write it by `pulumi stack output --json`" in (line := told(done))
    assert str(file) in line


@every_command
def test_a_stack_that_does_not_run_is_told_with_the_command_that_starts_it(
    words: str, tmp_path: Path
) -> None:
    """Whom to call is known all the same, and no folder is asked."""
    if words == "contacts":
        done = type_in(words, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)
        return
    done = type_in(words, "--run-dir", str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (1, "")
    assert "with `responder local up --run-dir" in told(done)


@every_command
@pytest.mark.parametrize("trouble", [throttled, unreachable])
def test_an_aws_that_answers_nothing_leaves_all_unknown(
    words: str, trouble: Callable[[str], Any], outputs: str, troubled: Troubles
) -> None:
    """Throttled, or with both regions out of reach: exit 1, a line a reason, and no figure is made up."""
    troubled(trouble)
    done = type_in(words, "--outputs", outputs)
    if words == "contacts":
        assert done.returncode == 0
        return
    assert done.returncode == 1, done.stdout
    if words in CHECKS:
        assert done.stderr == ""
        assert re.search("unknown|could not be looked at|neither region answers", done.stdout)
        return
    line = told(done, lines_max=1 if trouble is throttled else 2)
    assert ("ThrottlingException" if trouble is throttled else "Could not connect") in line
    done_or_read = words.startswith("dlq")  # of which there is none, and it says so
    assert done_or_read or "0" not in done.stdout.split()


@every_command
def test_an_interrupted_command_ends_with_one_line(words: str, outputs: str, troubled: Troubles) -> None:
    """And a shell's exit code for it."""
    troubled(interrupted)
    done = type_in(words, "--outputs", outputs)
    if words == "contacts":
        assert done.returncode == 0
        return
    assert (done.returncode, done.stdout) == (INTERRUPTED_CODE, "")
    assert told(done).startswith("interrupted")
