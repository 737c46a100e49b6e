"""The notifier against a real HTTP server that speaks Slack's protocol."""

import json
import logging
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.adapters.aws.secrets import SecretMissingError, SecretUnavailableError
from handlers.adapters.slack.webhook import SlackNotifier
from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.digests import digest_id_of, digest_of
from handlers.domain.delivery.messages import Message, follow_up_of, notification_of
from handlers.domain.limits import MAX_DIGEST_ALERTS
from handlers.domain.ports import (
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from tests.fakes.http_server import Answer, ScriptedServer
from tests.fakes.secrets import FakeSecret
from tests.unit.handlers.builders import one_each, row
from topology.alerts import Severity, Status

PATH = "/services/T000/B000/verysecret"


def post(
    url: str | Exception,
    *later: str | Exception,
    alert: Alert | None = None,
    message: Message | None = None,
    timeout_s: float = 5,
    origin: str = "http://127.0.0.1:",
) -> None:
    """Post to the webhook at `url`; `later` are what the secret holds when it is read again."""
    notifier = SlackNotifier(FakeSecret(url, *later), allowed_origin=origin)
    whole = message or notification_of(alert or row(status=Status.ANALYZED))
    assert notifier.post(whole, timeout_s=timeout_s) is None, "a webhook's message cannot be edited"


def blocks_of(server: ScriptedServer) -> list[dict[str, Any]]:
    """The blocks that Slack got."""
    blocks: list[dict[str, Any]] = json.loads(server.heard[0].body)["blocks"]
    return blocks


def test_message_has_the_alerts_id_first_and_plain_text_only(serve: Callable[..., ScriptedServer]) -> None:
    """The audit finds the alert by its block id; no element interprets markup."""
    server = serve(Answer())
    post(server.url + PATH, alert=row(status=Status.ANALYZED, link="https://grafana.example/d/1"))
    blocks = blocks_of(server)
    assert server.heard[0].path == PATH
    assert (blocks[0]["type"], blocks[0]["block_id"]) == ("header", "alert:a1")
    assert blocks[0]["text"]["text"] == "HIGH: Queue is growing"
    assert [block["type"] for block in blocks] == [
        "header",
        "section",
        "section",
        "section",
        "actions",
        "context",
    ]
    assert "mrkdwn" not in server.heard[0].body.decode()
    assert blocks[4]["elements"][0]["url"] == "https://grafana.example/d/1"


def test_hostile_text_stays_inert(serve: Callable[..., ScriptedServer]) -> None:
    """Neither alert nor analysis can mention the channel or disguise a link."""
    hostile = "<!channel> <http://evil.example|login> *x* :fire: &lt;"
    analysis = Analysis(
        summary=hostile, probable_cause=hostile, actions=(hostile,), confidence="low", model="m"
    )
    server = serve(Answer())
    post(
        server.url + PATH,
        alert=replace(row(status=Status.ANALYZED, title=hostile, message=hostile), analysis=analysis),
    )
    sent = json.loads(server.heard[0].body)
    assert "<" not in sent["text"]
    assert "&lt;!channel&gt;" in sent["text"]
    texts = [element for block in sent["blocks"] for element in _text_elements(block)]
    assert texts
    assert all(element["type"] == "plain_text" for element in texts)
    assert all(element["emoji"] is False for element in texts if "fire" in element["text"])


def _text_elements(block: dict[str, Any]) -> list[dict[str, Any]]:
    one = [block["text"]] if "text" in block else []
    return [
        *one,
        *block.get("fields", []),
        *(block.get("elements", []) if block["type"] == "context" else []),
    ]


def test_longest_message_keeps_slacks_limits(serve: Callable[..., ScriptedServer]) -> None:
    """The SDK checks lengths itself: a message that breaks them would raise."""
    long = "w" * 20_000
    analysis = Analysis(summary=long, probable_cause=long, actions=(long,) * 8, confidence="low", model="m")
    alert = replace(
        row(status=Status.ANALYZED),
        title=long,
        message=long,
        source=long,
        component=long,
        host=long,
        started_at=long,
        analysis=analysis,
    )
    server = serve(Answer())
    post(server.url + PATH, alert=alert)
    blocks = blocks_of(server)
    assert len(blocks) <= 50
    assert all(len(e["text"]) <= 3_000 for block in blocks for e in _text_elements(block))


def test_digest_is_marked_with_its_id_and_count(serve: Callable[..., ScriptedServer]) -> None:
    """The audit computes the id again from the rows that carry it."""
    server = serve(Answer())
    alerts = [row(f"a{number}", status=Status.ANALYZED) for number in range(3)]
    digest = digest_of(one_each(alerts))
    post(server.url + PATH, message=digest)
    blocks = blocks_of(server)
    assert blocks[0]["block_id"] == f"digest:{digest.digest_id}:3"
    assert [block["type"] for block in blocks] == ["header", "section", *["header", "section"] * 3, "context"]
    assert blocks[1]["text"]["text"] == "3 HIGH\nfrom billing (3)"
    assert [block["block_id"] for block in blocks[3:8:2]] == ["analysis:a0", "analysis:a1", "analysis:a2"]
    assert "Logs are not rotated." in blocks[3]["text"]["text"]
    assert digest.digest_id in blocks[8]["elements"][0]["text"]


def test_largest_and_most_hostile_digest_keeps_slacks_limits(serve: Callable[..., ScriptedServer]) -> None:
    """A hundred of the longest alerts; no element interprets markup, and Slack's length checks pass."""
    long = "<!channel>" * 2_000
    alerts = [
        replace(
            row(f"a{number:032}.{number:08}", status=Status.ANALYZED, title=long, source=f"{number}{long}"),
            severity=list(Severity)[number % 5],
        )
        for number in range(MAX_DIGEST_ALERTS)
    ]
    server = serve(Answer())
    post(server.url + PATH, message=digest_of(one_each(alerts)))
    texts = [element for block in blocks_of(server) for element in _text_elements(block)]
    assert all(element["type"] == "plain_text" for element in texts)
    assert all(len(element["text"]) <= 3_000 for element in texts)
    assert "<" not in json.loads(server.heard[0].body)["text"]


def test_follow_up_is_a_message_of_its_own(serve: Callable[..., ScriptedServer]) -> None:
    """An incoming webhook cannot edit; the marker is not the alert's, so it is no duplicate."""
    server = serve(Answer())
    post(server.url + PATH, message=follow_up_of(row(status=Status.ANALYZED)))
    blocks = blocks_of(server)
    assert blocks[0]["block_id"] == "follow-up:a1"
    assert blocks[0]["text"]["text"] == "Analysis of HIGH: Queue is growing"
    assert "The disk is full." in blocks[1]["text"]["text"]
    assert "alert:" not in server.heard[0].body.decode()


def test_message_beyond_slacks_limits_goes_out_as_plain_text(serve: Callable[..., ScriptedServer]) -> None:
    """Slack would refuse its layout each time, and people have to see it."""
    server = serve(Answer())
    whole = notification_of(row(status=Status.ANALYZED))
    post(server.url + PATH, message=replace(whole, header="x" * 200))
    (heard,) = server.heard
    assert "blocks" not in json.loads(heard.body)


@pytest.mark.parametrize(
    ("message", "mark"),
    [
        (notification_of(row(status=Status.ANALYZED, message="<!here> & more")), "alert:a1"),
        (follow_up_of(row(status=Status.ANALYZED)), "follow-up:a1"),
        (
            digest_of(one_each([row("a1", status=Status.ANALYZED), row("a2")])),
            f"digest:{digest_id_of(['a1', 'a2'])}:2",
        ),
    ],
    ids=["alert", "follow-up", "digest"],
)
def test_message_whose_layout_is_refused_goes_out_once_more_as_text(
    serve: Callable[..., ScriptedServer], message: Any, mark: str
) -> None:
    """With all that the blocks would show, nothing that Slack interprets, and its mark in the last line."""
    server = serve(Answer(400, b"invalid_blocks"), Answer())
    post(server.url + PATH, message=message)
    first, second = (json.loads(heard.body) for heard in server.heard)
    assert "blocks" in first
    assert second.keys() == {"text", "mrkdwn"}
    assert second["text"].startswith(first["text"])
    assert second["text"].endswith(f"\n{mark}")
    assert "<!here>" not in second["text"]
    assert not second["mrkdwn"]


def test_plain_text_that_is_refused_too_is_refused(serve: Callable[..., ScriptedServer]) -> None:
    """Then it is not the layout: an operator has to see it."""
    server = serve(Answer(400, b"invalid_payload"), Answer(400, b"invalid_payload"))
    with pytest.raises(NotifierRefusedError):
        post(server.url + PATH)
    assert len(server.heard) == 2


@pytest.mark.parametrize("message", ["", " \u200b "])
def test_empty_message_makes_no_empty_block(serve: Callable[..., ScriptedServer], message: str) -> None:
    """Slack refuses empty text."""
    server = serve(Answer())
    post(server.url + PATH, alert=row(status=Status.ANALYZED, message=message))
    assert all(e["text"] for block in blocks_of(server) for e in _text_elements(block))


@pytest.mark.parametrize(("header", "wait_s"), [("30", 30), ("x", None), (None, None)])
def test_throttling_tells_how_long(
    serve: Callable[..., ScriptedServer], header: str | None, wait_s: float | None
) -> None:
    """Retry-After is read, not slept."""
    server = serve(Answer(429, b"rate_limited", {"Retry-After": header} if header else {}))
    with pytest.raises(NotifierThrottledError) as raised:
        post(server.url + PATH)
    assert raised.value.retry_after_s == wait_s
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("status", "unknown"), [(500, True), (503, True), (408, False), (502, True), (504, True)]
)
def test_slacks_own_failure_is_for_later(
    serve: Callable[..., ScriptedServer], status: int, *, unknown: bool
) -> None:
    """One POST a call: the domain counts the attempts. A gateway does not know what became of it."""
    server = serve(Answer(status, b"oops"))
    with pytest.raises(NotifierUnavailableError, match=str(status)) as raised:
        post(server.url + PATH)
    assert raised.value.outcome_unknown is unknown
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hang=True),
        Answer(reset=True),
        Answer(drip="headers"),
        Answer(drip="body"),
        Answer(200, b"<html>"),
        Answer(200, b"\xff"),
    ],
    ids=["silence", "reset", "dripping headers", "dripping body", "not ok", "no text"],
)
def test_unknown_outcome_is_said(serve: Callable[..., ScriptedServer], answer: Answer) -> None:
    """It may have been posted: the one honest cause of a duplicate."""
    server = serve(answer)
    started = time.monotonic()
    with pytest.raises(NotifierUnavailableError) as raised:
        post(server.url + PATH, timeout_s=0.3)
    assert raised.value.outcome_unknown
    assert time.monotonic() - started < 1.0


def test_refused_connection_is_known_not_to_have_posted() -> None:
    """Nobody was there to take it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotifierUnavailableError) as raised:
        post(f"http://127.0.0.1:{port}{PATH}")
    assert not raised.value.outcome_unknown


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, "invalid_payload", NotifierRefusedError),
        (413, "too large", NotifierRefusedError),
        (400, "user_not_found", NotifierMisaddressedError),
        (403, "invalid_token", NotifierMisaddressedError),
        (404, "no_active_hooks", NotifierMisaddressedError),
        (410, "channel_is_archived", NotifierMisaddressedError),
        (302, "", NotifierMisaddressedError),
    ],
)
def test_refusal_is_of_the_message_or_of_the_webhook(
    serve: Callable[..., ScriptedServer], status: int, text: str, error: type[Exception]
) -> None:
    """The operator reads what Slack said, and never the URL."""
    server = serve(Answer(status, text.encode(), {"Location": "http://127.0.0.1:1/"}))
    with pytest.raises(error) as raised:
        post(server.url + PATH)
    assert str(status) in str(raised.value)
    assert text in str(raised.value)
    assert "verysecret" not in str(raised.value)


def test_redirect_is_not_followed(serve: Callable[..., ScriptedServer]) -> None:
    """A redirect would turn the POST into a GET whose 200 means nothing."""
    elsewhere = serve(Answer())
    server = serve(Answer(302, b"", {"Location": elsewhere.url}))
    with pytest.raises(NotifierMisaddressedError):
        post(server.url + PATH)
    assert elsewhere.heard == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_rotated_webhook_is_read_again_at_once(serve: Callable[..., ScriptedServer], status: int) -> None:
    """A URL that was revoked is replaced without waiting for the cache."""
    server = serve(Answer(status, b"no_service"), Answer())
    post(server.url + "/old", server.url + "/new")
    assert [heard.path for heard in server.heard] == ["/old", "/new"]


def test_a_corrected_webhook_is_read_again_at_once(serve: Callable[..., ScriptedServer]) -> None:
    """What is no Slack URL costs an operator each alert until it is put right, and none after that."""
    server = serve(Answer())
    post("not-a-url", server.url + PATH)
    assert [heard.path for heard in server.heard] == [PATH]


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com.evil.example/x", "ftp://hooks.slack.com/", "nonsense"]
)
def test_url_of_another_origin_is_refused_unsent(url: str) -> None:
    """A wrong secret cannot send alerts elsewhere, and its value is not repeated."""
    with pytest.raises(NotifierMisaddressedError, match="does not start with") as raised:
        post(url, origin="https://hooks.slack.com/")
    assert url not in str(raised.value)


@pytest.mark.parametrize("character", [" ", "\t", "\r\n", "\x7f", "é"])
def test_url_that_cannot_be_sent_is_never_tried(serve: Callable[..., ScriptedServer], character: str) -> None:
    """It is read again at once, as it may have been corrected; no try of it is in duplicate_cause."""
    server = serve(Answer())
    broken = f"{server.url}/services/very{character}secret"
    with pytest.raises(NotifierMisaddressedError, match="space or line break") as raised:
        post(broken)
    assert "very" not in str(raised.value)
    post(broken, server.url + PATH)
    assert [heard.path for heard in server.heard] == [PATH]


def test_url_that_no_client_takes_is_known_not_to_have_posted() -> None:
    """Nothing was sent, so there is no duplicate_cause."""
    with pytest.raises(NotifierUnavailableError) as raised:
        post("http://127.0.0.1:port/")
    assert not raised.value.outcome_unknown


@pytest.mark.parametrize("status", [403, 404, 410])
def test_refused_webhook_that_cannot_be_read_again_is_for_later(
    serve: Callable[..., ScriptedServer], status: int
) -> None:
    """A rotation while secrets cannot be read is no proof that the webhook is gone."""
    server = serve(Answer(status, b"no_service"))
    with pytest.raises(NotifierUnavailableError) as raised:
        post(server.url + PATH, SecretUnavailableError("the secret x cannot be read"))
    assert not raised.value.outcome_unknown


def test_missing_secret_is_no_address_and_unreachable_one_is_for_later() -> None:
    """Missing is for an operator if it stays so; unreachable passes, and nothing was posted."""
    with pytest.raises(NotifierMisaddressedError, match="no Slack webhook"):
        post(SecretMissingError("the secret x is empty"))
    with pytest.raises(NotifierUnavailableError) as raised:
        post(SecretUnavailableError("the secret x cannot be read"))
    assert not raised.value.outcome_unknown


def test_url_is_in_no_log(serve: Callable[..., ScriptedServer], caplog: pytest.LogCaptureFixture) -> None:
    """At no level, whatever happens."""
    caplog.set_level(logging.DEBUG)
    for answer in (Answer(), Answer(500), Answer(404), Answer(reset=True)):
        server = serve(answer)
        try:
            post(server.url + PATH)
        except (NotifierUnavailableError, NotifierMisaddressedError):
            logging.getLogger("test").exception("as a handler would")
    assert "verysecret" not in caplog.text


def test_each_link_is_a_button(serve: Callable[..., ScriptedServer]) -> None:
    """With its address, in one row."""
    server = serve(Answer())
    alert = row(
        status=Status.ANALYZED,
        link="https://prom.example/g",
        runbook="https://wiki.example/r",
        silence="https://prom.example/s",
    )
    post(server.url + PATH, alert=alert)
    (actions,) = (block for block in blocks_of(server) if block["type"] == "actions")
    assert [(button["text"]["text"], button["url"]) for button in actions["elements"]] == [
        ("Open the source", "https://prom.example/g"),
        ("Runbook", "https://wiki.example/r"),
        ("Silence", "https://prom.example/s"),
    ]
