"""`responder dlq` and `responder queue`, as people type them: what they print, and what they refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.deployment import Deployment
from handlers.adapters.aws.dynamodb import attributes_of
from handlers.adapters.aws.items import item_of
from handlers.domain.states import notified
from ops.cli import app, main
from tests.fakes.deployment import FAILOVER, PRIMARY, outputs_on_moto
from tests.fakes.moto_clients import MotoClients, moto_client
from tests.unit.handlers.builders import row
from topology.alerts import Status

HOSTILE = "not json \u202e evil"
"""SQS takes it; a terminal would write the rest from right to left."""


@pytest.fixture
def outputs(aws: None, tmp_path: Path) -> Path:  # noqa: ARG001 - moto must run
    """The outputs of a stack on moto."""
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs_on_moto()))
    return file


@pytest.fixture
def deployment(outputs: Path) -> Deployment:
    """The stack, with an alert that is open and one at rest, and three dead letters in its primary region."""
    deployment = Deployment.from_outputs(json.loads(outputs.read_text()), MotoClients())
    alerts = (row("a0open"), notified(row("a0rest", status=Status.ANALYZED), at_ms=1_800_000_000_000))
    for alert in alerts:
        moto_client("dynamodb", PRIMARY).put_item(TableName="alerts", Item=item_of(attributes_of(alert)))
    for body in (HOSTILE, '{"alert_id": "a0open"}', '{"alert_id": "a0rest"}'):
        moto_client("sqs", PRIMARY).send_message(
            QueueUrl=deployment.primary.dead_letter_queue_url, MessageBody=body
        )
    return deployment


def run(outputs: Path, *words: str, typed: str = "") -> Any:
    """A command on that stack, in a wide terminal."""
    return CliRunner().invoke(
        app, [*words, "--outputs", str(outputs)], env={"COLUMNS": "200"}, input=typed or None
    )


@pytest.mark.usefixtures("deployment")
def test_list_groups_by_reason_and_names_what_to_do(outputs: Path) -> None:
    """With the next command on the same stack; nothing in a body reaches the terminal as it is."""
    found = run(outputs, "dlq", "list")
    assert found.exit_code == 0, found.output
    assert "dead letters 3 in 4 queues" in found.output
    assert f"`responder dlq drop --reason at-rest --outputs {outputs}`" in found.output
    assert "\u202e" not in found.output
    assert "a0open RECEIVED" in found.output


@pytest.mark.usefixtures("deployment")
def test_list_prints_the_ids_for_scripts(outputs: Path) -> None:
    """Each queue with its groups; one that was read and is empty says 0."""
    queues = json.loads(run(outputs, "dlq", "list", "--json").stdout)
    assert [(one["region"], one["queue"], one["state"], one["messages"]) for one in queues] == [
        (PRIMARY, "processing-dlq", "read", 3),
        (PRIMARY, "distribution-dlq", "read", 0),
        (FAILOVER, "processing-dlq", "read", 0),
        (FAILOVER, "distribution-dlq", "read", 0),
    ]
    assert {group["reason"]: group["alert_ids"] for group in queues[0]["groups"]} == {
        "unreadable-body": [], "not-at-rest": ["a0open"], "at-rest": ["a0rest"],
    }  # fmt: skip


def test_queue_that_cannot_be_read_is_unknown_and_exit_1(outputs: Path, deployment: Deployment) -> None:
    """Not 0: `messages` is null."""
    moto_client("sqs", FAILOVER).delete_queue(QueueUrl=deployment.failover.dead_letter_queue_url)
    found = run(outputs, "dlq", "list", "--json")
    assert found.exit_code == 1
    assert [one["messages"] for one in json.loads(found.stdout)] == [3, 0, None, 0]
    text = run(outputs, "dlq", "list")
    assert text.exit_code == 1
    assert "dead letters 3 in 3 queues, unknown 1 queues" in text.stdout
    assert "processing-dlq in us-west-2: unknown: " in text.stderr


@pytest.mark.usefixtures("deployment")
def test_show_has_the_whole_body_and_what_the_ledger_says(outputs: Path) -> None:
    """By the alert's id or the message's; exit 1 if there is none."""
    [shown] = json.loads(run(outputs, "dlq", "show", "a0rest", "--json").stdout)
    assert (shown["reason"], shown["detail"], shown["body"]) == (
        "at-rest",
        "NOTIFIED",
        '{"alert_id": "a0rest"}',
    )
    by_message = run(outputs, "dlq", "show", shown["message_id"])
    assert "reason: at-rest" in by_message.stdout
    none = run(outputs, "dlq", "show", "a9")
    assert (none.exit_code, none.stderr) == (1, "a9: no dead-letter queue has it\n")


def test_no_secret_of_a_message_is_shown(outputs: Path, deployment: Deployment) -> None:
    """Whoever sent it into the queue: what is shown is pasted into tickets."""
    moto_client("sqs", PRIMARY).send_message(
        QueueUrl=deployment.primary.dead_letter_queue_url, MessageBody='{"password": "hunter2-of-ours"}'
    )
    listed = run(outputs, "dlq", "list")
    groups = json.loads(run(outputs, "dlq", "list", "--json").stdout)[0]["groups"]
    ids = next(group["message_ids"] for group in groups if group["reason"] == "unreadable-body")
    shown = [run(outputs, "dlq", "show", message_id, "--json") for message_id in ids]
    assert any("[redacted: password]" in one.stdout for one in shown)
    assert "hunter2-of-ours" not in listed.output + "".join(one.output for one in shown)


@pytest.mark.usefixtures("deployment")
def test_dry_run_moves_nothing_and_a_redrive_asks_first(outputs: Path) -> None:
    """The stack's name is typed; what is at rest stays."""
    would = run(outputs, "dlq", "redrive", "--dry-run")
    assert would.stdout == "would be redriven 1 (not-at-rest 1)\nleft 2 (unreadable-body 1, at-rest 1)\n"
    refused = run(outputs, "dlq", "redrive", typed="prod\n")
    assert refused.exit_code == 2
    done = run(outputs, "dlq", "redrive", "--rate", "1000", typed="dev\n")
    assert done.exit_code == 0, done.output
    assert "redriven 1 (not-at-rest 1)\nleft 2 (unreadable-body 1, at-rest 1)\n" in done.stdout


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    "words", [("redrive", "--dry-run"), ("redrive", "--yes"), ("drop", "--dry-run"), ("drop", "--yes")]
)
def test_an_id_that_no_queue_has_is_said(outputs: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """And exit 1; one that is there and not chosen is not missing, and the rest is done."""
    to = ("--to", str(tmp_path / "dropped.jsonl")) if words[0] == "drop" else ()
    ids = ("--id", "a0open", "--id", "a0rest", "--id", "a9\x1b")
    found = run(outputs, "dlq", *words, *ids, *to)
    assert found.exit_code == 1
    [missing] = [line for line in found.stderr.splitlines() if "no dead-letter queue" in line]
    assert missing.startswith("a9?: no dead-letter queue that was read has it; `responder dlq list --json")
    assert "not-at-rest 1" in found.stdout


@pytest.mark.usefixtures("deployment")
def test_drop_writes_what_it_drops_to_a_file_of_ours_alone(outputs: Path, tmp_path: Path) -> None:
    """A line a message, appended, since an alarm in it may be in no ledger."""
    to = tmp_path / "dropped.jsonl"
    first = run(outputs, "dlq", "drop", "--reason", "at-rest", "--to", str(to), "--yes", "--json")
    assert json.loads(first.stdout)[0]["dropped"] == {"at-rest": 1}
    second = run(outputs, "dlq", "drop", "--id", "a0open", "--to", str(to), "--yes")
    assert second.stdout == "dropped 1 (not-at-rest 1)\nleft 1 (unreadable-body 1)\n"
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert [(line["alert_id"], line["body"]) for line in lines] == [
        ("a0rest", '{"alert_id": "a0rest"}'), ("a0open", '{"alert_id": "a0open"}'),
    ]  # fmt: skip
    assert to.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("deployment")
def test_interrupted_redrive_says_how_far_it_came(
    outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit 130, and what it held is there again."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.runbook.dlq_commands.ProgressLine.show", interrupt)
    words = ["dlq", "redrive", "--yes", "--outputs", str(outputs)]
    with pytest.raises(SystemExit) as ended:
        main(lambda: app(words, prog_name="responder"))
    assert ended.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted: redriven 1 so far; run it again to go on"
    assert "dead letters 2 in" in run(outputs, "dlq", "list").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("dlq", "redrive", "--reason", "at-rest"), "nothing is left to do for these"),
        (("dlq", "redrive", "--region", "mars"), "there are us-east-1, us-west-2"),
        (("dlq", "redrive", "--rate", "0"), "--rate"),
        (("dlq", "drop"), "or else --all"),
        (("dlq", "drop", "--all", "--reason", "at-rest"), "or else --all"),
        (("queue", "purge"), "Missing argument"),
        (("queue", "purge", "processing-dlq"), "may hold an alarm that no ledger has"),
        (("queue", "purge", "inbox"), "there are processing, processing-critical"),
        (("queue", "purge", "processing", "--region", "mars"), "there are us-east-1, us-west-2"),
    ],
)
def test_wrong_use_is_told_what_is_right(
    outputs: Path, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """Exit 2, and nothing was done."""
    to = ("--to", str(tmp_path / "dropped.jsonl")) if words[1] == "drop" else ()
    found = run(outputs, *words, *to)
    assert found.exit_code == 2
    assert says in " ".join(found.output.replace("│", " ").split())
