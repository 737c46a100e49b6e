"""Which alerts there were, what became of each and of what became none, and one that is sent by hand."""

import json
from pathlib import Path

import pytest

from emulator.local_stack import LocalStack
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"


@pytest.fixture(scope="module")
def sent(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A body that is a body of no sender."""
    assert stack.emulator
    file = tmp_path_factory.mktemp("bodies") / "body.json"
    file.write_text('{"nothing": "is known of a quetzal"}', encoding="utf-8")
    return file


def test_an_alert_is_sent_followed_listed_shown_and_explained(
    stack: LocalStack, responder: Responder, sent: Path
) -> None:
    """By flags to the other region until it is in Slack; then by its text, by its id, and by the severity."""
    words = (
        "alerts",
        "send",
        "--title",
        "The axolotl is missing",
        "--source",
        "zoo",
        "--severity",
        "CRITICAL",
    )
    done = responder(*words, "--region", FAILOVER, "--wait", "--within", "300", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    (alert,) = answer["alerts"]
    hops = {hop["hop"]: hop["at_ms"] for hop in alert["hops"]}
    assert (answer["region"], answer["status"], alert["status"]) == (FAILOVER, 202, "NOTIFIED")
    assert answer["sent_at_ms"] <= hops["answered"] <= hops["in Slack"]

    again = responder(*words, "--message", "still missing", "--region", PRIMARY, "--json")
    assert json.loads(again.stdout)["status"] == 202
    listed = json.loads(
        responder("alerts", "list", "--severity", "CRITICAL", "--limit", "2", "--json").stdout
    )
    assert listed["rows_read"] == 2
    assert alert["alert_id"] in [row["alert_id"] for row in listed["alerts"]]

    shown = json.loads(responder("alerts", "show", alert["alert_id"], "--json").stdout)
    assert shown["in_slack"].startswith(stack.emulator.slack_url)
    rules = [decision["rule"] for decision in shown["history"]]
    assert {"accepted", "route", "incident", "analysis", "Slack"} <= set(rules)
    told_by = {decision["known_from"] for decision in shown["history"]}
    assert f"AlertReceptionFunction in {FAILOVER}" in told_by
    assert any(name.startswith("DistributionFunction in ") for name in told_by)
    times = [decision["at_ms"] for decision in shown["history"] if decision["at_ms"]]
    assert times == sorted(times)

    found = json.loads(responder("why", "AXOLOTL is", "--since", "10m", "--json").stdout)
    explained = {one["alert"]["alert_id"]: one for one in found["alerts"]}
    assert explained[alert["alert_id"]]["decided_by"]["rule"] in {"Slack", "digest"}
    text = responder("why", alert["alert_id"])
    assert text.returncode == 0
    assert "decided by:" in text.stdout

    refused = responder("alerts", "send", "--file", str(sent))
    assert refused.returncode == 1
    assert "unknown_format" in refused.stdout
    by_text = json.loads(responder("why", "Quetzal", "--json").stdout)
    assert [one["rule"] for one in by_text["no_alerts"]] == ["refused"]
    by_body = responder("why", "--file", str(sent))
    assert (by_body.returncode, "422 unknown_format" in by_body.stdout) == (0, True)
    nothing = responder("why", "no such beast")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr.startswith("nothing is known of 'no such beast'; looked at ")


def test_wrong_use_is_said_before_any_work(responder: Responder) -> None:
    """Exit 2 and the option."""
    for words, said in (
        (("why",), "one of QUERY and --file"),
        (("alerts", "send"), "one of --title and --file"),
        (("alerts", "send", "--title", "x", "--label", "team"), "NAME=VALUE"),
        (("alerts", "send", "--title", "x", "--region", "mars"), "--region: 'mars'"),
        (("alerts", "list", "colour=red"), "unknown field"),
        (("alerts", "list", "--open", "--status", "PARKED"), "one of both"),
        (("alerts", "list", "--since", "yesterday"), "is not a time"),
    ):
        done = responder(*words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert said in " ".join(done.stderr.replace("│", " ").split()), words
