"""The stand-in for Slack, driven by the real SDK: what it accepts, refuses, keeps and shows."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import urllib3
from aiohttp import web
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from emulator.stand_ins.faults import Fault, Faults
from emulator.stand_ins.slack import RateLimit, SlackStandIn
from emulator.supervisor.egress import SLACK_HOST

REGION = "us-east-1"


@dataclass
class Slack:
    """A served stand-in with one webhook."""

    stand_in: SlackStandIn
    faults: Faults
    record: Path
    base_url: str
    reader_url: str
    path: str

    def send(self, blocks: list[dict[str, Any]] | None = None, text: str | None = "hello") -> tuple[int, str]:
        """Post by the SDK, without its own retries; return status and body."""
        client = WebhookClient(self.base_url + self.path, timeout=5, retry_handlers=[])
        answer = client.send(text=text, blocks=blocks)
        return answer.status_code, answer.body

    def send_raw(self, body: bytes) -> tuple[int, str]:
        """Post any bytes."""
        answer = urllib3.request("POST", self.base_url + self.path, body=body, timeout=5, retries=False)
        return answer.status, answer.data.decode()

    def call(self, method: str, *, token: str | None = None, **payload: Any) -> dict[str, Any]:
        """Call the Web API by the SDK, without its own retries; return what it answered, errors too."""
        client = WebClient(
            token=token or self.stand_in.bot_token,
            base_url=self.base_url + "/api/",
            timeout=5,
            retry_handlers=[],
        )
        try:
            answer = client.api_call(method, json=payload)
        except SlackApiError as error:
            answer = error.response
        return {**answer.data, "status": answer.status_code}


@pytest.fixture
def slack(tmp_path: Path, serve: Callable[[web.Application], str]) -> Slack:
    """A stand-in without faults or limits."""
    faults = Faults()
    stand_in = SlackStandIn(tmp_path / "messages.jsonl", faults)
    url = stand_in.add_webhook("incidents")
    return Slack(
        stand_in=stand_in,
        faults=faults,
        record=tmp_path / "messages.jsonl",
        base_url=serve(stand_in.application(REGION)),
        reader_url=serve(stand_in.reader()),
        path=url.removeprefix(f"http://{SLACK_HOST}"),
    )


def section(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """A section block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **fields}


def header(text: str) -> dict[str, Any]:
    """A header block."""
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def actions(*elements: Any) -> dict[str, Any]:
    """A block of elements."""
    return {"type": "actions", "elements": list(elements)}


def button(text: str = "Open", **fields: Any) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "text": {"type": "plain_text", "text": text}, **fields}


def test_accepted_message_is_written_down_with_its_alerts(slack: Slack) -> None:
    """What `ok` was said to is in the record: channel, region, alert ids, payload."""
    assert slack.send([section(block_id="alert:a1"), section(), section(block_id="alert:a2")]) == (200, "ok")
    [line] = [json.loads(one) for one in slack.record.read_text().splitlines()]
    assert (line["channel"], line["region"], line["alert_ids"]) == ("incidents", REGION, ["a1", "a2"])
    assert line["payload"]["text"] == "hello"
    assert line["received_at_ms"] > 1_700_000_000_000
    assert urllib3.request("GET", f"{slack.reader_url}/messages").json() == [line]


@pytest.mark.parametrize(
    "blocks",
    [
        [header("x" * 150)],
        [section("x" * 3000)],
        [section() for _ in range(50)],
        [section(block_id="x" * 255)],
        [section(fields=[{"type": "mrkdwn", "text": "x" * 2000}] * 5)],
        [section(fields=[{"type": "mrkdwn", "text": "x"}] * 10)],
        [section("x" * 3000)] * 4,
        [{"type": "divider"}, {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 10}],
        [actions(*(button(text="x" * 75, action_id=f"{n:0255}", value="x" * 2000) for n in range(25)))],
        [actions(button(url="https://example.com/" + "x" * 2980), button(style="danger"))],
    ],
)
def test_message_at_slacks_limits_is_accepted(slack: Slack, blocks: list[dict[str, Any]]) -> None:
    """The last value that Slack takes."""
    assert slack.send(blocks) == (200, "ok")


@pytest.mark.parametrize(
    "blocks",
    [
        [header("x" * 151)],
        [header("")],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "no"}}],
        [section("x" * 3001)],
        [section("")],
        [{"type": "section"}],
        [section() for _ in range(51)],
        [section(block_id="x" * 256)],
        [section(block_id="same"), section(block_id="same")],
        [section(fields=[{"type": "mrkdwn", "text": "x"}] * 11)],
        [section(fields=[{"type": "mrkdwn", "text": "x" * 2001}])],
        [{"type": "context", "elements": []}],
        [{"type": "actions", "elements": [{}] * 26}],
        [actions(*[button()] * 26)],
        [actions({**button(), "type": "datepicker"})],
        [actions("not an element")],
        [actions(button(text=""))],
        [actions(button(text="x" * 76))],
        [actions({**button(), "text": {"type": "mrkdwn", "text": "no"}})],
        [actions(button(url=""))],
        [actions(button(url="https://example.com/" + "x" * 2981))],
        [actions(button(action_id="x" * 256))],
        [actions(button(action_id="same"), button(action_id="same"))],
        [actions(button(value="x" * 2001))],
        [actions(button(style="loud"))],
        [section(fields=[])],
        [section(fields=[{"type": "mrkdwn", "text": ""}])],
        [{"type": "carousel"}],
        ["not a block"],
    ],
)
def test_message_over_slacks_limits_is_refused_and_not_kept(
    slack: Slack, blocks: list[dict[str, Any]]
) -> None:
    """One more than Slack takes is a permanent 400."""
    body = json.dumps({"text": "hello", "blocks": blocks}).encode()
    assert slack.send_raw(body) == (400, "invalid_blocks")
    assert slack.stand_in.messages == []
    assert slack.record.read_text() == ""


def test_message_whose_blocks_are_too_long_together_is_refused(slack: Slack, channel: str) -> None:
    """Each of them is not, and forty causes have to share what a message holds."""
    blocks = [*[section("x" * 3000)] * 4, section("x")]
    assert slack.send(blocks) == (400, "msg_blocks_too_long")
    answer = slack.call("chat.postMessage", channel=channel, text="x", blocks=blocks)
    assert (answer["status"], answer["error"]) == (200, "msg_blocks_too_long")
    assert slack.stand_in.messages == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", "invalid_payload"),
        (b"[" * 100_000, "invalid_payload"),
        (b"[]", "invalid_payload"),
        (b'{"text": 1}', "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"text": "", "blocks": []}', "no_text"),
        (b'{"text": " \\n"}', "no_text"),
        (b'{"text": "half a pair: \\ud83d"}', "invalid_payload"),
        (b'{"text": "no UTF-8: \xff"}', "invalid_payload"),
    ],
)
def test_body_that_is_no_message_is_refused(slack: Slack, body: bytes, code: str) -> None:
    """Slack's words for each mistake."""
    assert slack.send_raw(body) == (400, code)


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus:${PORT}/graph?g0.expr=up",
        "http://prometheus:99999/graph",
        "http://prometheus:0/graph",
        "http://{{.ExternalURL}}/alerts",
        "https://%zz/",
        "http://-/",
        "http://-a.example.com/",
        "http://.../x",
        "http://a..b/",
        "http://[::1/",
        "http://[1.2.3.4]/",
        "http://" + "x" * 64 + ".example.com/",
        "http://" + "x." * 127 + "xx/",
        "/explore?left=1",
        "http:javascript:alert(1)",
        "javascript:alert(1)",
        "https://",
        "https://example.com/a b",
        "https://example.com/a\nb",
    ],
)
def test_button_whose_url_is_none_is_refused(slack: Slack, url: str) -> None:
    """Whatever its template left unfilled: one such button costs the whole message."""
    assert slack.send([section(), actions(button(url=url))]) == (400, "invalid_blocks")
    assert slack.stand_in.messages == []


@pytest.mark.parametrize(
    "url",
    [
        "http://host:/x",
        "http://alertmanager_0.local:9093/",
        "http://_x.local/",
        "https://example.com",
        "https://example.com./#a",
        "http://127.0.0.1:65535/",
        "http://[::1]:80/",
        "https://пример.рф/путь?q=%20",
        "HTTPS://a/%zz",
    ],
)
def test_button_whose_url_a_browser_could_open_is_accepted(slack: Slack, url: str) -> None:
    """Names of hosts as they are in clusters."""
    assert slack.send([section(), actions(button(url=url))]) == (200, "ok")


def test_unknown_webhook_is_refused(slack: Slack) -> None:
    """A rotated or mistyped URL is a permanent 403."""
    slack.path += "x"
    assert slack.send() == (403, "invalid_token")


def test_webhooks_of_two_channels_are_told_apart(slack: Slack) -> None:
    """A second webhook posts to its own channel."""
    slack.path = slack.stand_in.add_webhook("other").removeprefix(f"http://{SLACK_HOST}")
    slack.send()
    assert [one.channel for one in slack.stand_in.messages] == ["other"]


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("rate_limited", 429, "rate_limited"),
        ("server_error", 500, "rollup_error"),
        ("no_active_hooks", 404, "no_active_hooks"),
        ("channel_is_archived", 410, "channel_is_archived"),
        ("invalid_payload", 400, "invalid_payload"),
    ],
)
def test_fault_is_met_as_often_as_asked(slack: Slack, kind: str, status: int, body: str) -> None:
    """Then Slack works again; what met the fault was not posted."""
    slack.faults.add(Fault(service="slack", kind=kind, times=2))
    assert [slack.send(), slack.send(), slack.send()] == [(status, body), (status, body), (200, "ok")]
    assert len(slack.stand_in.messages) == 1


def test_fault_of_one_region_spares_the_other(slack: Slack) -> None:
    """A fault can be a region's alone."""
    slack.faults.add(Fault(service="slack", kind="server_error", region="us-west-2"))
    assert slack.send() == (200, "ok")


def test_rate_limit_says_how_long_to_wait(slack: Slack) -> None:
    """429 carries Retry-After in whole seconds."""
    slack.faults.add(Fault(service="slack", kind="rate_limited", times=1, retry_after_s=7))
    answer = urllib3.request("POST", slack.base_url + slack.path, json={"text": "x"}, retries=False)
    assert (answer.status, answer.headers["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "7")


def test_server_error_after_accept_posts_and_answers_500(slack: Slack, channel: str) -> None:
    """By webhook and by bot, edits included: a 5xx does not say that nothing was done."""
    slack.faults.add(Fault(service="slack", kind="server_error_after_accept", times=3))
    assert slack.send([section(block_id="alert:a1")]) == (500, "rollup_error")
    answer = slack.call("chat.postMessage", channel=channel, text="x", blocks=[section(block_id="alert:a2")])
    assert (answer["status"], answer["error"]) == (500, "internal_error")
    assert [one.alert_ids for one in slack.stand_in.messages] == [("a1",), ("a2",)]
    answer = slack.call("chat.update", channel=channel, ts=slack.stand_in.messages[1].ts, text="y")
    assert (answer["status"], slack.stand_in.messages[2].edited) == (500, True)
    assert slack.send() == (200, "ok")


def test_what_slack_refuses_is_not_posted_by_a_fault(slack: Slack, channel: str) -> None:
    """The fault is what comes after a post."""
    slack.faults.add(Fault(service="slack", kind="server_error_after_accept", times=3))
    assert slack.send_raw(b"[]") == (400, "invalid_payload")
    assert slack.call("chat.postMessage", channel="C0", text="x")["error"] == "channel_not_found"
    slack.stand_in.rate_limit = RateLimit(0.001, 1)
    slack.stand_in.rate_limit.take("incidents")
    assert slack.call("chat.postMessage", channel=channel, text="x")["status"] == HTTPStatus.TOO_MANY_REQUESTS
    assert slack.stand_in.messages == []


def test_refused_layout_goes_through_as_text(slack: Slack, channel: str) -> None:
    """Each message with blocks is refused as long as the fault is there."""
    slack.faults.add(Fault(service="slack", kind="invalid_blocks"))
    for _ in range(2):
        assert slack.send([section(block_id="alert:a1")]) == (400, "invalid_blocks")
        answer = slack.call("chat.postMessage", channel=channel, text="x", blocks=[section()])
        assert (answer["status"], answer["error"]) == (200, "invalid_blocks")
    assert slack.stand_in.messages == []
    assert slack.send() == (200, "ok")
    assert slack.call("chat.postMessage", channel=channel, text="x")["ok"]


def test_reset_after_accept_posts_without_saying_so(slack: Slack) -> None:
    """The outcome is unknown to the sender, and Slack has the message."""
    slack.faults.add(Fault(service="slack", kind="reset_after_accept", times=1))
    with pytest.raises(OSError, match=r"closed|reset"):
        slack.send([section(block_id="alert:a1")])
    assert [one.alert_ids for one in slack.stand_in.messages] == [("a1",)]


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_dropped_connection_posts_nothing(slack: Slack, kind: str) -> None:
    """The sender sees a closed connection, and Slack has nothing."""
    slack.faults.add(Fault(service="slack", kind=kind, times=1, delay_s=0.05))
    with pytest.raises(OSError, match=r"closed|reset"):
        slack.send()
    assert slack.stand_in.messages == []


def test_channel_limit_lets_a_burst_through_and_refills() -> None:
    """A token bucket for each channel, by the clock."""
    now = [0.0]
    limit = RateLimit(1.0, 2, clock=lambda: now[0])
    assert [limit.take("a"), limit.take("a"), limit.take("a")] == [0.0, 0.0, 1.0]
    assert limit.take("b") == 0.0
    now[0] = 0.5
    assert limit.take("a") == 0.5
    now[0] = 1.0
    assert limit.take("a") == 0.0


def test_limited_channel_answers_429(slack: Slack) -> None:
    """The limit holds for posts too."""
    slack.stand_in.rate_limit = RateLimit(0.001, 1)
    assert [slack.send()[0], slack.send()[0]] == [200, 429]


def test_page_shows_messages_as_text_never_as_markup(slack: Slack) -> None:
    """Alert text is hostile."""
    hostile = "<script>alert(1)</script>"
    slack.send(
        [header(hostile), section(hostile, fields=[{"type": "mrkdwn", "text": hostile}])], text=hostile
    )
    slack.send(None, text=hostile)
    answer = urllib3.request("GET", slack.reader_url)
    page = answer.data.decode()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_digests_and_follow_ups_are_told_from_alerts(slack: Slack) -> None:
    """By the ids of blocks; one that is not of the form is no mark."""
    slack.send([section(block_id=f"digest:d{'0' * 32}:37"), section()])
    slack.send([section(block_id="follow-up:a1")])
    slack.send([section(block_id="digest:d1:many"), section(block_id="digest:d2")])
    digest, follow_up, neither = slack.stand_in.messages
    assert (digest.alert_ids, digest.digests, digest.follow_ups) == ((), ((f"d{'0' * 32}", 37),), ())
    assert (follow_up.alert_ids, follow_up.digests, follow_up.follow_ups) == ((), (), ("a1",))
    assert (neither.alert_ids, neither.digests, neither.follow_ups) == ((), (), ())
    assert json.loads(slack.record.read_text().splitlines()[0])["digests"] == [["d" + "0" * 32, 37]]


def test_digest_over_slacks_limits_is_refused_like_any_message(slack: Slack) -> None:
    """A list of examples that is too long would park a whole storm."""
    blocks = [section(block_id="digest:d1:100"), section("x" * 3001)]
    assert slack.send_raw(json.dumps({"text": "x", "blocks": blocks}).encode()) == (400, "invalid_blocks")
    assert slack.stand_in.messages == []


@pytest.fixture
def channel(slack: Slack) -> str:
    """The id of a channel where the bot has a seat."""
    return slack.stand_in.add_channel("incidents")


def page_of(slack: Slack, query: str = "") -> str:
    """The page that a person reads."""
    return urllib3.request("GET", slack.reader_url + query).data.decode()


def test_edit_is_received_as_a_message_and_read_in_the_place_of_the_first(slack: Slack, channel: str) -> None:
    """With marks and a time of its own, for the audit; a person sees what it says now, once."""
    slack.send(text="before")
    posted = slack.call("chat.postMessage", channel=channel, text="x", blocks=[section("one")])
    slack.send(text="after")
    for text, mark in (("two", "digest:d1:2"), ("three", "follow-up:a1")):
        edited = slack.call(
            "chat.update", channel=channel, ts=posted["ts"], text="y", blocks=[section(text, block_id=mark)]
        )
        assert (edited["ok"], edited["ts"], edited["channel"]) == (True, posted["ts"], channel)
    messages = slack.stand_in.messages
    assert [(one.digests, one.follow_ups, one.edited) for one in messages] == [
        ((), (), False),
        ((), (), False),
        ((), (), False),
        ((("d1", 2),), (), True),
        ((), ("a1",), True),
    ]
    assert {one.ts for one in messages[3:]} == {messages[1].ts}
    assert messages[4].received_at_ms >= messages[3].received_at_ms >= messages[1].received_at_ms
    assert len(slack.record.read_text().splitlines()) == len(messages)
    page = page_of(slack)
    assert [page.count(f"<p>{text}</p>") for text in ("one", "two", "three")] == [0, 0, 1]
    assert page.index("after") < page.index("three") < page.index("before")
    assert page.count(" · edited ") == 1


def test_reply_is_read_in_the_thread_of_its_message(slack: Slack, channel: str) -> None:
    """One to a reply lands in the same thread, and an edit of the first message keeps it."""
    parent = slack.call("chat.postMessage", channel=channel, text="parent")["ts"]
    reply = slack.call("chat.postMessage", channel=channel, text="first reply", thread_ts=parent)
    assert reply["message"]["thread_ts"] == parent
    slack.call("chat.postMessage", channel=channel, text="second reply", thread_ts=reply["ts"])
    slack.call("chat.postMessage", channel=channel, text="another")
    slack.call("chat.update", channel=channel, ts=parent, text="edited parent")
    assert [one.thread_ts for one in slack.stand_in.messages] == ["", parent, parent, "", ""]
    page = page_of(slack)
    assert "2 messages" in page
    assert page.index("another") < page.index("edited parent") < page.index("first reply")
    assert page.index("first reply") < page.index("second reply")


def test_reply_to_what_is_not_there_stands_alone(slack: Slack, channel: str) -> None:
    """Slack takes it all the same and says so by leaving `thread_ts` out; a malformed one it refuses."""
    other = slack.stand_in.add_channel("other")
    elsewhere = slack.call("chat.postMessage", channel=other, text="x")["ts"]
    for missing in ("1795420800.000200", elsewhere):
        answer = slack.call("chat.postMessage", channel=channel, text="x", thread_ts=missing)
        assert (answer["ok"], "thread_ts" in answer["message"]) == (True, False)
    assert [one.thread_ts for one in slack.stand_in.messages] == ["", "", ""]
    refused = slack.call("chat.postMessage", channel=channel, text="x", thread_ts="yesterday")
    assert refused["error"] == "invalid_thread_ts"


def test_bot_cannot_edit_what_a_webhook_posted(slack: Slack, channel: str) -> None:
    """It is another's message."""
    slack.send(text="x")
    answer = slack.call("chat.update", channel=channel, ts=slack.stand_in.messages[0].ts, text="y")
    assert answer["error"] == "cant_update_message"


def test_page_shows_one_channel_or_all(slack: Slack) -> None:
    """A route's channel can be read alone; its name is text too."""
    slack.send(text="in incidents")
    slack.path = slack.stand_in.add_webhook("a<b").removeprefix(f"http://{SLACK_HOST}")
    slack.send(text="in a<b")
    page = page_of(slack)
    assert ("in incidents" in page, "in a&lt;b" in page, "a<b" in page) == (True, True, False)
    assert "#incidents (1)" in page
    alone = page_of(slack, "/?channel=a%3Cb")
    assert ("in incidents" in alone, "in a&lt;b" in alone) == (False, True)


def test_edits_are_limited_by_method(slack: Slack, channel: str) -> None:
    """As Slack limits chat.update; it takes no place of a channel's messages."""
    ts = slack.call("chat.postMessage", channel=channel, text="x")["ts"]
    slack.stand_in.rate_limit = RateLimit(0.001, 1)
    edits = [slack.call("chat.update", channel=channel, ts=ts, text="y")["status"] for _ in range(2)]
    assert edits == [200, 429]
    assert slack.send()[0] == 200


@pytest.mark.parametrize(
    ("method", "changes", "code"),
    [
        ("chat.postMessage", {"channel": "C0UNKNOWN"}, "channel_not_found"),
        ("chat.postMessage", {"channel": 5}, "channel_not_found"),
        ("chat.postMessage", {"text": None}, "no_text"),
        ("chat.postMessage", {"blocks": [{"type": "carousel"}]}, "invalid_blocks"),
        ("chat.update", {"ts": "1.2"}, "message_not_found"),
        ("chat.update", {}, "message_not_found"),
        ("chat.delete", {}, "unknown_method"),
    ],
)
def test_call_that_slack_refuses_says_why(
    slack: Slack, channel: str, method: str, changes: dict[str, Any], code: str
) -> None:
    """With status 200 and Slack's word; nothing is kept."""
    answer = slack.call(method, **({"channel": channel, "text": "x"} | changes))
    assert (answer["status"], answer["ok"], answer["error"]) == (200, False, code)
    assert slack.stand_in.messages == []


def test_wrong_token_is_refused(slack: Slack, channel: str) -> None:
    """As one that was revoked."""
    answer = slack.call("chat.postMessage", token="xoxb-wrong", channel=channel, text="x")
    assert (answer["ok"], answer["error"]) == (False, "invalid_auth")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("rate_limited", 429, "ratelimited"),
        ("server_error", 500, "internal_error"),
        ("invalid_token", 200, "invalid_auth"),
        ("channel_is_archived", 200, "is_archived"),
        ("invalid_payload", 200, "invalid_blocks"),
    ],
)
def test_faults_are_met_by_the_bot_too(slack: Slack, channel: str, kind: str, status: int, code: str) -> None:
    """In the words of the Web API."""
    slack.faults.add(Fault(service="slack", kind=kind, times=1))
    answer = slack.call("chat.postMessage", channel=channel, text="x")
    assert (answer["status"], answer["error"]) == (status, code)
    assert slack.call("chat.postMessage", channel=channel, text="x")["ok"]


def test_webhook_and_bot_share_the_channels_limit(slack: Slack, channel: str) -> None:
    """One message a second is a channel's, not a sender's; an edit takes no place in it."""
    slack.stand_in.rate_limit = RateLimit(0.001, 1)
    posted = slack.call("chat.postMessage", channel=channel, text="x")
    assert slack.send()[0] == 429
    assert slack.call("chat.postMessage", channel=channel, text="x")["status"] == 429
    assert slack.call("chat.update", channel=channel, ts=posted["ts"], text="y")["ok"]
    assert slack.stand_in.rate_limited == 2
