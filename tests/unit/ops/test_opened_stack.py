"""Commands on a real stack, by its outputs, and what they say where a region does not answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from typer.testing import CliRunner

from clients.coordination import CoordinationRecords
from clients.deployment import IncompleteOutputsError
from clients.receipts import Receipt, ReceiptsFile
from dr.exports.requests import ExportRefusedError
from emulator.attached_stack import attached_deployment
from ops.cli import app
from ops.opened_stack import RegionSilentError, asking
from tests.fakes.aws_refusals import refusal
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert
from tests.fakes.receipts import body_of
from topology.records import heartbeat_record, watch_record


@pytest.fixture
def stack(aws: None) -> DrStack:  # noqa: ARG001 - moto
    """Of the stack dev."""
    return dr_stack()


@pytest.fixture
def outputs(stack: DrStack, tmp_path: Path) -> str:
    """As `pulumi stack output --json` writes them."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps(stack.outputs))
    return str(path)


def responder(*words: str, typed: str = "") -> Any:
    """What a person types, and then when asked."""
    return CliRunner().invoke(app, words, input=typed)


def park(alert_id: str) -> None:
    """A PARKED alert in the primary region."""
    put_alert(alert_id, status="PARKED", region=PRIMARY)
    boto3.client("dynamodb", region_name=PRIMARY).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": alert_id}},
        UpdateExpression="SET open_key = :open, due_at = :due, title = :text, parked_reason = :text",
        ExpressionAttributeValues={
            ":open": {"S": f"{PRIMARY}#PARKED"}, ":due": {"N": "1"}, ":text": {"S": "no_service"},
        },
    )  # fmt: skip


def test_parked_alerts_of_a_real_stack_are_listed_and_shown(outputs: str) -> None:
    """With the reason."""
    park("a1")
    listed = json.loads(responder("parked", "list", "--json", "--outputs", outputs).stdout)
    assert [(one["alert_id"], one["reason"]) for one in listed] == [("a1", "no_service")]
    shown = json.loads(responder("parked", "show", "a1", "--json", "--outputs", outputs).stdout)
    assert shown["alert"]["status"] == "PARKED"


def test_an_id_that_is_to_be_copied_is_whole_without_a_terminal(outputs: str) -> None:
    """`show` and `redrive` take no part of one; an export's id is as `dr check` takes it."""
    alert_id = "a" + "e2f479dfaa" * 4
    park(alert_id)
    listed = responder("parked", "list", "--outputs", outputs)
    assert alert_id in listed.stdout
    assert "…" not in listed.stdout


def test_heartbeats_of_a_real_stack_are_listed(stack: DrStack, outputs: str) -> None:
    """With where they were last seen, and whether they are late."""
    records = CoordinationRecords(stack.deployment, PRIMARY)
    what = "heartbeat:watchdog"
    assert records.write(watch_record(PRIMARY), None, {what: 1_000, f"{what}#every_s": 120})
    assert records.write(heartbeat_record(PRIMARY, "watchdog"), None, {"seen_ms": 2_000})
    (one,) = json.loads(responder("heartbeats", "list", "--json", "--outputs", outputs).stdout)
    assert (one["what"], one["every_s"], one["due_ms"], one["state"]) == (what, 120, 182_000, "late")
    listed = responder("heartbeats", "list", "--outputs", outputs).stdout
    assert "heartbeat:watchdog" in listed
    assert "never" in listed
    assert listed.splitlines()[-1] == "expected 1, late or missing 1"


def test_parked_alerts_of_a_real_stack_are_redriven_once_its_name_is_typed(outputs: str) -> None:
    """Another name changes nothing."""
    park("a1")
    refused = responder("parked", "redrive", "a1", "--outputs", outputs, typed="prod\n")
    assert refused.exit_code == 2
    done = responder("parked", "redrive", "a1", "--outputs", outputs, typed="dev\n")
    assert done.exit_code == 0
    shown = json.loads(responder("parked", "show", "a1", "--json", "--outputs", outputs).stdout)
    assert shown["alert"]["status"] == "RECEIVED"


def test_what_cannot_be_redriven_is_said_before_anybody_is_asked(outputs: str) -> None:
    """What is asked about is what goes out."""
    park("a1")
    missing = responder("parked", "redrive", "a2", "--outputs", outputs)
    assert (missing.exit_code, missing.stderr) == (1, "a2: there is no such alert\n")
    both = responder("parked", "redrive", "a1", "a2", "--outputs", outputs, typed="dev\n")
    assert "1 alerts go out again." in both.stderr
    assert both.exit_code == 1
    assert both.stdout.endswith("redriven 1 of 2\n")


def test_a_question_that_nobody_answers_ends_with_the_option_that_does_without(outputs: str) -> None:
    """As in a script, whose standard input is closed."""
    park("a1")
    done = responder("parked", "redrive", "a1", "--outputs", outputs)
    assert done.exit_code == 2
    assert "--yes" in done.stderr


def test_a_real_stack_is_audited_without_slack_and_that_is_said(outputs: str, tmp_path: Path) -> None:
    """What Slack has is unknown, and no number stands for it."""
    for region in (PRIMARY, FAILOVER):
        put_alert("a1", status="NOTIFIED", region=PRIMARY, in_region=region)
    receipts = tmp_path / "receipts.jsonl"
    with ReceiptsFile(receipts) as out:
        out.add(body_of(Receipt("a1", "RECEIVED", PRIMARY, 1, 1)))
    words = ("audit", "--outputs", outputs, "--receipts", str(receipts))
    found = json.loads(responder(*words, "--json").stdout)
    assert (found["accepted"], found["unaccounted"], found["passed"]) == (1, 0, True)
    assert (found["slack_read"], found["duplicates"], found["duplicates_by_cause"]) == (False, None, None)
    assert "duplicates unknown: Slack was not read" in responder(*words).stdout


def put_event(alert_id: str, state: str, minute: int, status: str) -> None:
    """A row of one fault in both regions; a SUPPRESSED one is below the first."""
    at = {"N": str(minute * 60_000)}
    item = {
        "alert_id": {"S": alert_id}, "status": {"S": status}, "region": {"S": PRIMARY},
        "fault_key": {"S": "f" * 32}, "state": {"S": state}, "changed_at_ms": at, "accepted_at_ms": at,
        **({"parent_id": {"S": "a1"}} if status == "SUPPRESSED" else {}),
    }  # fmt: skip
    for region in (PRIMARY, FAILOVER):
        boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=item)


def audited(outputs: str, receipts: Path, *words: str) -> Any:
    """Audit a real stack."""
    return responder("audit", "--outputs", outputs, "--receipts", str(receipts), *words)


@pytest.mark.parametrize("planted", [True, False])
def test_an_untold_change_and_a_lost_member_are_named(outputs: str, tmp_path: Path, *, planted: bool) -> None:
    """Down, up, down: the second outage SUPPRESSED; and a member that is neither answered nor refused.

    Where it is told and the member refused, nothing is wrong.
    """
    status = "SUPPRESSED" if planted else "NOTIFIED"
    put_event("a1", "firing", 1, "NOTIFIED")
    put_event("a2", "resolved", 2, "NOTIFIED")
    put_event("a1.c", "firing", 3, status)
    receipts, problems = tmp_path / "receipts.jsonl", tmp_path / "problems.jsonl"
    group = [Receipt(alert_id, "RECEIVED", PRIMARY, 1, 2) for alert_id in ("a1", "a2")]
    with ReceiptsFile(receipts) as out:
        out.add(body_of(*group, sent=3) if planted else body_of(*group, refused=(1,)))
    done = audited(outputs, receipts, "--json", "--problems", str(problems))
    found = json.loads(done.stdout)
    named = {"a1.c", f"body:{'b' * 64} member 2"} if planted else set()
    assert done.exit_code == planted
    assert found["problems"].keys() == named
    assert {json.loads(line)["id"] for line in problems.read_text().splitlines()} == named
    assert found["members"] == {"sent": 3, "answered": 2, "refused": int(not planted), "lost": int(planted)}
    assert (found["untold"], found["unaccounted"]) == (int(planted), len(named))
    table = audited(outputs, receipts).stdout
    assert f"members sent 3, answered 2, refused {int(not planted)}, lost {int(planted)}" in table
    assert f"changes of state untold {int(planted)}, told in doubt 0 (alerts" in table
    assert table.endswith(f"unaccounted {len(named)}\n")


def test_what_a_record_does_not_say_is_unknown_and_no_fault(outputs: str, tmp_path: Path) -> None:
    """As by the access log, or by receipts and rows of an older release."""
    item = {"alert_id": {"S": "a1"}, "status": {"S": "NOTIFIED"}, "region": {"S": PRIMARY}}
    for region in (PRIMARY, FAILOVER):
        boto3.client("dynamodb", region_name=region).put_item(TableName="alerts", Item=item)
    receipts = tmp_path / "receipts.jsonl"
    receipts.write_bytes(msgspec.json.encode(Receipt("a1", "RECEIVED", PRIMARY, 1, 2)) + b"\n")
    done = audited(outputs, receipts, "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["passed"]) == (0, True)
    assert (found["members"], found["untold"]) == ("unknown", "unknown")
    table = audited(outputs, receipts).stdout
    assert "members unknown: without a sender's receipt" in table
    assert "changes of state unknown: neither" in table


@pytest.mark.parametrize("content", ['{"a": 1}', "{}", '{"format": 1, "stack": "local", "outputs": {}}'])
def test_a_file_that_is_none_of_outputs_is_wrong_use(tmp_path: Path, content: str) -> None:
    """Such as the local stack's state file; the advice says how outputs are written."""
    path = tmp_path / "bad.json"
    path.write_text(content)
    done = responder("dr", "status", "--outputs", str(path))
    said = " ".join(done.output.replace("│", " ").split())
    assert done.exit_code == 2
    assert "has none of a stack's outputs; write it by `pulumi stack output --json`" in said


def test_a_stack_of_another_version_is_told_with_a_few_of_what_it_lacks(
    stack: DrStack, tmp_path: Path
) -> None:
    """And deployed again."""
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({name: stack.outputs[name] for name in ("Stack", "PrimaryRegion")}))
    error = responder("dr", "status", "--outputs", str(path)).exception
    assert isinstance(error, IncompleteOutputsError)
    assert " more; deploy it again with this version" in str(error)
    assert str(error).count(", ") == 2


class HalfMade:
    """An emulator to which nothing was completely deployed."""

    instance_id = "i"
    edge_url = "http://127.0.0.1:1"

    def __init__(self, run_dir: Path) -> None:
        """It keeps its files there."""
        self.run_dir = run_dir


def test_a_half_made_local_stack_is_told_with_the_command_that_finishes_it(tmp_path: Path) -> None:
    """After a `local up` that was killed, or while it is under way."""
    with pytest.raises(IncompleteOutputsError, match=f"half made.*`responder local up --run-dir {tmp_path}`"):
        attached_deployment(HalfMade(tmp_path))  # type: ignore[arg-type]  # tests


def test_an_audit_of_a_real_stack_names_its_receipts(outputs: str) -> None:
    """Those of the local stack are of another one."""
    found = responder("audit", "--outputs", outputs)
    assert found.exit_code == 2
    assert "--access-log" in found.output


@pytest.mark.parametrize(
    "words",
    [
        ["exports"],
        ["export"],
        ["check"],
        ["compare", "latest", "live"],
        ["restore", "--to", "10m", "--dry-run"],
        ["restore", "--export", "latest", "--dry-run"],
        ["repair", "a-restored-table"],
    ],
)
def test_a_dark_region_is_said_with_the_other_one_to_ask(
    stack: DrStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]
) -> None:
    """By the option that does it, in every command on data."""
    topics = dict.fromkeys(("AlarmTopicArn", "FailoverAlarmTopicArn"), "arn:aws:sns:x:123456789012:alarms")
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({**stack.outputs, **topics}))
    stack.lose(PRIMARY)
    monkeypatch.setattr("ops.opened_stack.AwsClients", lambda: stack.clients)
    done = CliRunner().invoke(app, ["dr", *words, "--outputs", str(outputs)])
    assert isinstance(done.exception, RegionSilentError)
    assert f"the other region has its own: add `--region {FAILOVER}`" in str(done.exception)


def test_what_the_other_region_would_refuse_too_is_said_as_it_is(stack: DrStack) -> None:
    """AWS answered, and it was no."""
    refused = ExportRefusedError("no")
    refused.__cause__ = refusal("AccessDeniedException", status=403)
    with pytest.raises(ExportRefusedError, match=r"^no$"), asking(stack.deployment, PRIMARY):
        raise refused
