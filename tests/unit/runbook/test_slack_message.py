"""Where an alert's message is in Slack: its link by a bot, and the reason where there is none."""

import json
from collections.abc import Iterator

import pytest

from clients.deployment import Deployment
from emulator.protocol import SlackMessage
from runbook.history.slack_message import where_in_slack, where_in_stand_in
from tests.fakes.deployment import PRIMARY, LossyClients
from tests.fakes.http_server import Answer, ScriptedServer
from tests.fakes.moto_clients import moto_client
from topology.functions import DISTRIBUTION, RECEPTION

TOKEN = "xoxb-of-the-bot"
LINK = "https://shop.slack.com/archives/C1/p1795420801000200"
ROW = {
    "alert_id": "a1",
    "region": PRIMARY,
    "notified_at_ms": 1_795_420_801_000,
    "slack_ref": "C1/1795420801.000200",
}


@pytest.fixture
def slack(deployment: Deployment) -> Iterator[ScriptedServer]:
    """Slack's Web API, the stack's bot posting to it."""
    server = ScriptedServer([Answer(body=json.dumps({"ok": True, "permalink": LINK}).encode())])
    clients, names = deployment.clients, deployment.names
    assert isinstance(clients, LossyClients)
    environment = clients.environments[names.function(RECEPTION)] | {
        "SLACK_WEBHOOK_SECRET": "unused",
        "SLACK_WEBHOOK_ORIGIN": f"{server.url}/",
        "SLACK_INTERVAL_MS": "1000",
        "SLACK_CHANNEL": "C1",
        "SLACK_BOT_TOKEN_SECRET": names.slack_bot_token_secret,
        "ESCALATE_AFTER_S": "0",
    }
    clients.environments[names.function(DISTRIBUTION)] = environment
    moto_client("secretsmanager", PRIMARY).create_secret(
        Name=names.slack_bot_token_secret, SecretString=TOKEN
    )
    yield server
    server.stop()


def test_a_message_by_the_bot_has_the_link_that_slack_says(
    deployment: Deployment, slack: ScriptedServer
) -> None:
    """The token goes to Slack in a header, and nowhere else."""
    assert where_in_slack(deployment, ROW) == LINK
    (heard,) = slack.heard
    assert heard.path == "/api/chat.getPermalink?channel=C1&message_ts=1795420801.000200"
    assert heard.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(body=b'{"ok": false, "error": "message_not_found"}'), "message_not_found"),
        (Answer(body=b'{"ok": true, "permalink": "javascript:alert(1)"}'), "has no link"),
        (Answer(body=b"<html>"), "its link is unknown"),
        (Answer(reset=True), "its link is unknown"),
    ],
)
def test_where_slack_says_no_link_the_reason_is_told_without_the_token(
    deployment: Deployment, slack: ScriptedServer, answer: Answer, said: str
) -> None:
    """And the message's place all the same."""
    slack.script[:] = [answer]
    where = where_in_slack(deployment, ROW)
    assert said in where
    assert "C1/1795420801.000200" in where
    assert TOKEN not in where


@pytest.mark.parametrize(
    ("kept", "where"), [(f"{TOKEN}\n", LINK), (f"{TOKEN}\n{TOKEN}", "the bot's token is none")]
)
def test_a_token_with_lines_is_never_quoted(
    deployment: Deployment, slack: ScriptedServer, kept: str, where: str
) -> None:
    """A last line's end is left out as the functions do; what cannot be a header is not sent."""
    name = deployment.names.slack_bot_token_secret
    moto_client("secretsmanager", PRIMARY).put_secret_value(SecretId=name, SecretString=kept)
    assert where_in_slack(deployment, ROW).endswith(where)
    assert len(slack.heard) == (where == LINK)


def test_what_has_no_link_says_why(deployment: Deployment) -> None:
    """A webhook's message, one told with others, and one that Slack has not taken."""
    told = {name: value for name, value in ROW.items() if name != "slack_ref"}
    assert where_in_slack(deployment, told | {"route": "pay"}).startswith(
        "in the channel of route pay; an incoming"
    )
    assert "in digest d1" in where_in_slack(deployment, told | {"digest_id": "d1"})
    assert where_in_slack(deployment, {"alert_id": "a1"}) == "none: Slack has not taken it"


def test_a_local_stacks_message_is_found_by_its_alert_or_digest() -> None:
    """On the page of the stand-in for Slack."""
    alone = SlackMessage(
        received_at_ms=1, channel="alerts", alert_ids=("a1",), region=PRIMARY, payload={}, ts="1.2"
    )
    together = SlackMessage(
        received_at_ms=1,
        channel="pay",
        alert_ids=(),
        region=PRIMARY,
        payload={},
        ts="3.4",
        digests=(("d1", 2),),
    )
    messages = [alone, together]
    assert where_in_stand_in(messages, {"alert_id": "a1"}, "http://page") == "http://page #alerts, ts 1.2"
    digest = {"alert_id": "a2", "digest_id": "d1"}
    assert where_in_stand_in(messages, digest, "http://page") == "http://page #pay, ts 3.4"
    assert where_in_stand_in(messages, {"alert_id": "a3"}, "http://page").startswith("none: ")
