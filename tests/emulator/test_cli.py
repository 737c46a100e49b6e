"""`responder local` and `responder audit` as a person runs them: exit codes and one-line errors."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from clients.receipts import Receipt, ReceiptsFile
from emulator.attached_stack import attached_deployment
from emulator.client import Emulator

pytestmark = pytest.mark.emulator

Run = Callable[..., subprocess.CompletedProcess[str]]
RESPONDER = Path(sys.executable).with_name("responder")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this module's own stack."""
    return tmp_path_factory.mktemp("cli") / "stack"


@pytest.fixture(scope="module")
def responder(run_dir: Path) -> Iterator[Run]:
    """Run the command on this module's stack, which is taken down at the end."""

    def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(RESPONDER), *words, "--run-dir", str(run_dir)]
        return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=180, check=False)

    yield run
    run("local", "down")


@pytest.fixture(scope="module")
def up(responder: Run) -> subprocess.CompletedProcess[str]:
    """The first `up`."""
    return responder("local", "up", "--free-ports")


def test_up_says_all_that_a_person_needs(up: subprocess.CompletedProcess[str], responder: Run) -> None:
    """Both webhooks with their keys, the edge for the AWS CLI, and where Slack is read."""
    assert up.returncode == 0, up.stderr
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["region"] for region in status["regions"]] == ["us-east-1", "us-west-2"]
    for region in status["regions"]:
        assert {region["webhook"], region["api_key"], region["health"]} <= set(up.stdout.split())
    assert status["edge"] in up.stdout
    assert (status["name"], status["name_points_to"]) == ("alerts.responder.test", "us-east-1")
    assert "Name     alerts.responder.test → us-east-1" in up.stdout
    assert requests.get(status["slack"], timeout=10).headers["content-type"].startswith("text/html")


def test_a_second_up_changes_nothing(up: subprocess.CompletedProcess[str], responder: Run) -> None:
    """It updates what changed, and says how much that was."""
    again = responder("local", "up")
    assert again.returncode == 0, again.stderr
    assert "0 created, 0 updated" in again.stdout
    assert up.stdout.count(" created") == 1


def test_a_lost_region_is_shown_and_audit_calls_it_unknown(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """Missing data is never healthy: exit 1 and one line; after `start` it says that nothing was accepted."""
    assert up.returncode == 0
    with ReceiptsFile(run_dir / "receipts.jsonl"):
        pass
    assert responder("local", "break", "us-east-1", "--how", "kill").returncode == 0
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["state"] for region in status["regions"]] == ["killed", "running"]
    for words in (("audit",), ("local", "up")):
        refused = responder(*words)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert "us-east-1" in refused.stderr
    assert "now running" in responder("local", "start", "us-east-1").stdout
    empty = responder("audit")
    assert (empty.returncode, "unaccounted 0" in empty.stdout) == (1, True)
    assert empty.stderr == "nothing was accepted in this window, so nothing is proven\n"


def test_audit_names_a_receipt_that_no_ledger_knows(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """Exit 1 and the id."""
    assert up.returncode == 0
    receipts = run_dir / "invented.jsonl"
    with ReceiptsFile(receipts) as out:
        out.add(Receipt("a-lost-one", "RECEIVED", "us-east-1", 0, 1))
    found = responder("audit", "--receipts", str(receipts), "--json")
    assert found.returncode == 1
    assert "a-lost-one" in json.loads(found.stdout)["problems"]
    later = responder("audit", "--receipts", str(receipts), "--since", "1h", "--json")
    assert (later.returncode, json.loads(later.stdout)["accepted"]) == (1, 0)


def test_a_replay_ends_when_an_audit_finds_nothing_open(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """So that the command that it names can be typed at once."""
    assert up.returncode == 0
    replayed = responder("local", "replay")
    assert replayed.returncode == 0, replayed.stderr
    assert "all at rest" in replayed.stdout
    assert f"responder audit --run-dir {run_dir}" in replayed.stdout
    assert "unaccounted 0" in responder("audit").stdout


def test_a_throttled_reception_is_answered_503_with_a_time_to_come_back(
    up: subprocess.CompletedProcess[str], run_dir: Path
) -> None:
    """Alertmanager sends again after a 5xx and gives up after a 429."""
    assert up.returncode == 0
    deployment = attached_deployment(Emulator.attach(run_dir))
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
        answered = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=20)
    finally:
        functions.put_function_concurrency(FunctionName=reception, ReservedConcurrentExecutions=reserved)
    assert (answered.status_code, answered.json()["error"]) == (503, "unavailable")
    assert int(answered.headers["Retry-After"]) > 0


def park(run_dir: Path, alert_id: str) -> None:
    """Store an alert as distribution parks one that Slack refuses."""
    deployment = attached_deployment(Emulator.attach(run_dir))
    now_s = int(time.time())
    row: dict[str, str | int] = {
        "alert_id": alert_id, "status": "PARKED", "severity": "HIGH", "timestamp": now_s,
        "created_at": "2026-11-23T08:00:00.000Z", "accepted_at_ms": now_s * 1_000, "region": "us-east-1",
        "owner": "us-east-1", "format": "generic", "source": "test", "title": "Parked \x1b[2J alert",
        "message": "m", "identity": "i" * 64, "raw": "{}", "attempts": 12, "due_at": now_s + 600,
        "open_key": "us-east-1#PARKED", "parked_reason": "Slack said no_service",
    }  # fmt: skip
    deployment.clients.client("dynamodb", "us-east-1").put_item(
        TableName=deployment.alerts_table,
        Item={name: {"N" if isinstance(v, int) else "S": str(v)} for name, v in row.items()},
    )


def test_a_parked_alert_is_listed_shown_and_sent_out_again(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path, eventually: Callable[..., object]
) -> None:
    """After the operator has typed the stack's name, or said --yes; a dry run changes nothing."""
    assert up.returncode == 0
    park(run_dir, "a0parked")
    [listed] = json.loads(responder("parked", "list", "--json").stdout)
    assert (listed["alert_id"], listed["reason"]) == ("a0parked", "Slack said no_service")
    table = responder("parked", "list").stdout
    assert "a0parked" in table
    assert "\x1b[2J" not in table
    assert json.loads(responder("local", "status", "--json").stdout)["parked"] == 1
    shown = json.loads(responder("parked", "show", "a0parked", "--json").stdout)
    assert shown["alert"]["attempts"] == 12
    assert shown["family"] == [{"alert_id": "a0parked", "status": "PARKED"}]
    assert "would be redriven" in responder("parked", "redrive", "a0parked", "--dry-run").stdout
    unconfirmed = responder("parked", "redrive", "--all", typed="prod\n")
    assert unconfirmed.returncode == 2
    assert "nothing was done" in unconfirmed.stderr
    assert json.loads(responder("parked", "show", "a0parked", "--json").stdout)["alert"]["status"] == "PARKED"
    assert responder("parked", "redrive", "--all", typed="local\n").returncode == 0
    assert json.loads(responder("parked", "list", "--json").stdout) == []
    emulator = Emulator.attach(run_dir)
    eventually(lambda: [m for m in emulator.slack_messages() if "a0parked" in m.alert_ids], within_s=45)


def test_the_apis_access_log_is_as_good_as_a_senders_receipts(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """What was answered 202 by either API, and nothing else, is looked for in the ledger."""
    assert up.returncode == 0
    before = json.loads(responder("audit", "--access-log", "--json").stdout)["accepted"]
    deployment = attached_deployment(Emulator.attach(run_dir))
    ids = []
    for endpoints in deployment.regions:
        headers = {"x-api-key": deployment.api_key(endpoints)}
        body = {"source": "t", "title": f"Logged in {endpoints.region}", "message": "m", "severity": "LOW"}
        answered = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=20)
        ids.append(answered.json()["alerts"][0]["alert_id"])
        assert requests.post(endpoints.webhook_url, json=body, timeout=20).status_code == 403
        assert (
            requests.post(endpoints.webhook_url, json={"x": 1}, headers=headers, timeout=20).status_code
            == 422
        )
    found = json.loads(responder("audit", "--access-log", "--json").stdout)
    assert found["accepted"] == before + 2
    table = deployment.clients.client("dynamodb", "us-east-1")
    table.delete_item(TableName=deployment.alerts_table, Key={"alert_id": {"S": ids[0]}})
    lost = responder("audit", "--access-log", "--json")
    assert lost.returncode == 1
    assert ids[0] in json.loads(lost.stdout)["problems"]


def test_what_cannot_be_redriven_is_one_line_each_and_exit_1(
    up: subprocess.CompletedProcess[str], responder: Run
) -> None:
    """The others are done all the same."""
    assert up.returncode == 0
    found = responder("parked", "redrive", "a0parked", "a9", "--yes")
    assert found.returncode == 1
    assert found.stderr.splitlines() == ["a0parked: it is not PARKED", "a9: there is no such alert"]
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
    up: subprocess.CompletedProcess[str], responder: Run, words: tuple[str, ...], says: str
) -> None:
    """No traceback, never exit 0."""
    assert up.returncode == 0
    found = responder(*words)
    assert found.returncode in {1, 2}
    assert says in " ".join(found.stderr.replace("│", " ").split()), found.stderr
    assert "Traceback" not in found.stderr


def test_down_leaves_nothing_and_may_be_said_twice(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """No process, no folder; what is not running needs no stopping."""
    assert up.returncode == 0
    assert responder("local", "down").returncode == 0
    assert not run_dir.exists()
    left = [p for p in psutil.process_iter(["cmdline"]) if str(run_dir) in " ".join(p.info["cmdline"] or ())]
    _, alive = psutil.wait_procs(left, timeout=5)  # one that was killed takes a moment to be gone
    assert alive == []
    assert responder("local", "down").returncode == 0
    gone = responder("local", "status")
    assert gone.returncode == 1
    assert "responder local up" in gone.stderr
