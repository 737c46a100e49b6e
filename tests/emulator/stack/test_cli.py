"""`responder local` and `responder audit` as a person runs them: exit codes and one-line errors."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from clients.deployment import Deployment
from clients.receipts import Receipt, ReceiptsFile
from clients.streams import read_stream
from emulator.client import Emulator
from emulator.local_stack import TAKES_PER_S, LocalStack
from tests.emulator.conftest import REGIONS, SOON_S
from tests.emulator.stack.conftest import (
    Done,
    Responder,
    assert_nothing_left,
    in_a_process,
    taken_out,
)
from tests.fakes.receipts import body_of
from topology.alerts import SCHEMA

pytestmark = pytest.mark.emulator


@pytest.fixture
def deployment(stack: LocalStack) -> Deployment:
    """The stack's resources."""
    return stack.deployment


@pytest.fixture
def ledger(deployment: Deployment) -> Any:
    """DynamoDB, in the primary region."""
    return deployment.clients.client("dynamodb", "us-east-1")


def test_up_says_all_that_a_person_needs(brought_up: Done, responder: Responder) -> None:
    """Both webhooks with their keys, the edge for the AWS CLI, and where Slack is read."""
    assert brought_up.returncode == 0, brought_up.stderr
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["region"] for region in status["regions"]] == ["us-east-1", "us-west-2"]
    for region in status["regions"]:
        assert {region["webhook"], region["api_key"], region["health"]} <= set(brought_up.stdout.split())
    assert status["edge"] in brought_up.stdout
    assert f"takes {TAKES_PER_S} alerts a second without a 5xx" in brought_up.stdout
    assert (status["name"], status["name_points_to"]) == ("alerts.responder.test", "us-east-1")
    assert "Name     alerts.responder.test → us-east-1" in brought_up.stdout
    assert requests.get(status["slack"], timeout=60).headers["content-type"].startswith("text/html")


def test_a_second_up_changes_nothing(brought_up: Done, responder: Responder) -> None:
    """It updates what changed, and says how much that was."""
    again = responder("local", "up")
    assert again.returncode == 0, again.stderr
    assert "0 created, 0 updated" in again.stdout
    assert brought_up.stdout.count(" created") == 1


def test_a_lost_region_is_shown_and_audit_calls_it_unknown(
    whole: Emulator, stack: LocalStack, responder: Responder, tmp_path: Path
) -> None:
    """Missing data is never healthy: exit 1 and one line; after `start` it says that nothing was accepted."""
    assert stack.emulator is whole
    receipts = tmp_path / "receipts.jsonl"
    with ReceiptsFile(receipts):
        pass
    audit = ("audit", "--receipts", str(receipts))
    assert responder("local", "break", "us-east-1", "--how", "kill").returncode == 0
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["state"] for region in status["regions"]] == ["killed", "running"]
    for words in (audit, ("local", "up")):
        refused = responder(*words)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert "us-east-1" in refused.stderr
    assert "now running" in responder("local", "start", "us-east-1").stdout
    empty = responder(*audit)
    assert (empty.returncode, "unaccounted 0" in empty.stdout) == (1, True)
    assert empty.stderr == "nothing was accepted in this window, so nothing is proven\n"


def test_audit_names_a_receipt_that_no_ledger_knows(
    stack: LocalStack,  # noqa: ARG001 - what is audited
    responder: Responder,
    tmp_path: Path,
) -> None:
    """Exit 1 and the id."""
    receipts = tmp_path / "invented.jsonl"
    with ReceiptsFile(receipts) as out:
        out.add(body_of(Receipt("a-lost-one", "RECEIVED", "us-east-1", 0, 1)))
    found = responder("audit", "--receipts", str(receipts), "--json")
    assert found.returncode == 1
    assert "a-lost-one" in json.loads(found.stdout)["problems"]
    later = responder("audit", "--receipts", str(receipts), "--since", "1h", "--json")
    assert (later.returncode, json.loads(later.stdout)["accepted"]) == (1, 0)


@pytest.mark.parametrize("posts", [12, pytest.param(None, marks=pytest.mark.slow)])
def test_a_replay_ends_when_an_audit_finds_nothing_open(
    stack: LocalStack,
    responder: Responder,
    monkeypatch: pytest.MonkeyPatch,
    posts: int | None,
) -> None:
    """So that the command that it names can be typed at once; of the stream's start, and of the whole."""
    run_dir = stack.emulator.run_dir
    monkeypatch.setattr("ops.local.replay.read_stream", lambda: read_stream()[:posts])
    replayed = responder("local", "replay")
    assert replayed.returncode == 0, replayed.stderr
    assert "all at rest" in replayed.stdout
    assert f"responder audit --run-dir {run_dir}" in replayed.stdout
    assert "unaccounted 0" in responder("audit").stdout


def test_a_throttled_reception_is_answered_503_with_a_time_to_come_back(deployment: Deployment) -> None:
    """Alertmanager sends again after a 5xx and gives up after a 429."""
    endpoints = deployment.regions[1]
    functions = deployment.clients.client("lambda", endpoints.region)
    [reception] = [
        one["FunctionName"]
        for one in functions.list_functions()["Functions"]
        if "AlertReception" in one["FunctionName"]
    ]
    reserved = functions.get_function_concurrency(FunctionName=reception)["ReservedConcurrentExecutions"]
    functions.put_function_concurrency(FunctionName=reception, ReservedConcurrentExecutions=0)
    try:
        body = {"source": "t", "title": "Throttled", "message": "m", "severity": "LOW"}
        headers = {"x-api-key": deployment.api_key(endpoints)}
        answered = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=60)
    finally:
        functions.put_function_concurrency(FunctionName=reception, ReservedConcurrentExecutions=reserved)
    assert (answered.status_code, answered.json()["error"]) == (503, "unavailable")
    assert int(answered.headers["Retry-After"]) > 0


def parked_row(alert_id: str) -> dict[str, dict[str, str]]:
    """An alert as distribution parks one that Slack refuses."""
    now_s = int(time.time())
    row: dict[str, str | int] = {
        "alert_id": alert_id, "status": "PARKED", "severity": "HIGH", "timestamp": now_s,
        "created_at": "2026-11-23T08:00:00.000Z", "accepted_at_ms": now_s * 1_000, "region": "us-east-1",
        "owner": "us-east-1", "format": "generic", "source": "test", "title": "Parked \x1b[2J alert",
        "message": "m", "identity": "i" * 64, "raw": "{}", "attempts": 12, "due_at": now_s + 600,
        "open_key": "us-east-1#PARKED", "parked_reason": "Slack said no_service", "schema": SCHEMA,
    }  # fmt: skip
    return {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in row.items()}


def parked_ids(responder: Responder) -> dict[str, str]:
    """The parked alerts that are listed, with their reasons."""
    return {
        row["alert_id"]: row["reason"] for row in json.loads(responder("parked", "list", "--json").stdout)
    }


def parked_count(responder: Responder) -> int:
    """How many the stack's status counts."""
    return int(json.loads(responder("local", "status", "--json").stdout)["parked"])


def test_a_parked_alert_is_listed_shown_and_sent_out_again(
    emulator: Emulator,
    deployment: Deployment,
    ledger: Any,
    responder: Responder,
    eventually: Callable[..., object],
) -> None:
    """After the operator has typed the stack's name, or said --yes; a dry run changes nothing."""
    before = parked_count(responder)
    ledger.put_item(TableName=deployment.alerts_table, Item=parked_row("a0parked"))
    assert parked_ids(responder)["a0parked"] == "Slack said no_service"
    table = responder("parked", "list").stdout
    assert "a0parked" in table
    assert "\x1b[2J" not in table
    assert parked_count(responder) == before + 1
    shown = json.loads(responder("parked", "show", "a0parked", "--json").stdout)
    assert shown["alert"]["attempts"] == 12
    assert shown["family"] == [{"alert_id": "a0parked", "status": "PARKED"}]
    assert "would be redriven" in responder("parked", "redrive", "a0parked", "--dry-run").stdout
    unconfirmed = responder("parked", "redrive", "--all", typed="prod\n")
    assert unconfirmed.returncode == 2
    assert "nothing was done" in unconfirmed.stderr
    assert json.loads(responder("parked", "show", "a0parked", "--json").stdout)["alert"]["status"] == "PARKED"
    assert responder("parked", "redrive", "--all", typed="local\n").returncode == 0
    assert parked_ids(responder) == {}
    eventually(lambda: [m for m in emulator.slack_messages() if "a0parked" in m.alert_ids], within_s=SOON_S)


def test_the_apis_access_log_is_as_good_as_a_senders_receipts(
    deployment: Deployment, ledger: Any, responder: Responder
) -> None:
    """What was answered 202 by either API, and nothing else, is looked for in the ledger."""
    before = json.loads(responder("audit", "--access-log", "--json").stdout)["accepted"]
    ids = []
    for endpoints in deployment.regions:
        headers = {"x-api-key": deployment.api_key(endpoints)}
        body = {"source": "t", "title": f"Logged in {endpoints.region}", "message": "m", "severity": "LOW"}
        answered = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=60)
        ids.append(answered.json()["alerts"][0]["alert_id"])
        assert requests.post(endpoints.webhook_url, json=body, timeout=60).status_code == 403
        assert (
            requests.post(endpoints.webhook_url, json={"x": 1}, headers=headers, timeout=60).status_code
            == 422
        )
    found = json.loads(responder("audit", "--access-log", "--json").stdout)
    assert found["accepted"] == before + 2
    with taken_out(ledger, deployment.alerts_table, ids[0]):
        lost = responder("audit", "--access-log", "--json")
    assert lost.returncode == 1
    assert ids[0] in json.loads(lost.stdout)["problems"]


def test_what_cannot_be_redriven_is_one_line_each_and_exit_1(
    deployment: Deployment, ledger: Any, responder: Responder
) -> None:
    """The others are done all the same."""
    table = deployment.alerts_table
    ledger.put_item(TableName=table, Item=parked_row("a1parked"))
    at_rest = {name: value for name, value in parked_row("a2suppressed").items() if name != "open_key"}
    ledger.put_item(TableName=table, Item=at_rest | {"status": {"S": "SUPPRESSED"}})
    try:
        found = responder("parked", "redrive", "a2suppressed", "a9", "a1parked", "--yes")
    finally:
        ledger.delete_item(TableName=table, Key={"alert_id": {"S": "a2suppressed"}})
    assert found.returncode == 1
    assert found.stderr.splitlines() == ["a2suppressed: it is not PARKED", "a9: there is no such alert"]
    assert "a1parked" not in parked_ids(responder)
    missing = responder("parked", "show", "a9")
    assert (missing.returncode, missing.stderr) == (1, "a9: there is no such alert\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("local", "break", "mars"), "there are us-east-1, us-west-2"),
        (("local", "start", "mars"), "there are us-east-1, us-west-2"),
        (("local", "up", "--real-claude"), "--anthropic-key-file"),
        (("local", "up", "--real-slack"), "--slack-webhook-file"),
        (("audit", "--receipts", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
        (("audit", "--since", "yesterday"), "give 30m, 2h or 7d"),
        (("audit", "--access-log", "--receipts", "x.jsonl"), "give one"),
        (("parked", "redrive"), "or --all"),
        (("parked", "redrive", "a1", "--all"), "or --all"),
    ],
)
def test_wrong_use_is_told_what_is_right(
    stack: LocalStack,  # noqa: ARG001 - what it would be used on
    responder: Responder,
    words: tuple[str, ...],
    says: str,
) -> None:
    """No traceback, never exit 0."""
    found = responder(*words)
    assert found.returncode in {1, 2}
    assert says in " ".join(found.stderr.replace("│", " ").split()), found.stderr
    assert "Traceback" not in found.stderr


def test_down_leaves_nothing_and_may_be_said_twice(tmp_path: Path) -> None:
    """No process, no folder; what is not running needs no stopping. The stack's own end is looked at too."""
    run_dir = tmp_path / "stack"
    Emulator.start(run_dir, regions=REGIONS, detach=True)
    assert in_a_process("local", "down", "--run-dir", str(run_dir)).returncode == 0
    assert_nothing_left(run_dir)
    assert in_a_process("local", "down", "--run-dir", str(run_dir)).returncode == 0
    gone = in_a_process("local", "status", "--run-dir", str(run_dir))
    assert gone.returncode == 1
    assert "responder local up" in gone.stderr
