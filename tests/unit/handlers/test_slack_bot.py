"""The notifier with a bot token against a real HTTP server that speaks Slack's Web API."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from handlers.adapters.aws.secrets import SecretMissingError, SecretUnavailableError
from handlers.adapters.slack.bot import SlackBotNotifier
from handlers.adapters.slack.http import send
from handlers.domain.delivery.digests import Group, digest_of
from handlers.domain.delivery.messages import (
    FollowUpNotice,
    Message,
    follow_up_of,
    notification_of,
)
from handlers.domain.incident import IncidentView
from handlers.domain.ports import (
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from tests.fakes.http_server import Answer, ScriptedServer
from tests.fakes.secrets import FakeSecret
from tests.unit.handlers.builders import one_each, row
from topology.alerts import Status

ALERT = row(status=Status.ANALYZED)


def said(**answer: Any) -> Answer:
    """What Slack's Web API answers: always 200 but for a limit."""
    return Answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json; charset=utf-8"})


POSTED = said(ok=True, channel="C0AB", ts="1795420800.000200", message={"text": "…"})


def failed(code: str) -> Answer:
    """An error of the Web API."""
    return said(ok=False, error=code)


def post(
    server: ScriptedServer,
    *tokens: str | Exception,
    message: Message | None = None,
    timeout_s: float = 5,
) -> str | None:
    """Post one alert, or `message`."""
    notifier = SlackBotNotifier(
        FakeSecret(*(tokens or ("xoxb-verysecret",))), channel="C0AB", api_url=server.url + "/api/"
    )
    return notifier.post(message or notification_of(ALERT), timeout_s=timeout_s)


def notice(refers_to: str | None = "C0OLD/1795420800.000100") -> FollowUpNotice:
    """The analysis of an alert that was posted with this reference."""
    return follow_up_of(replace(ALERT, slack_ref=refers_to))


def sent(server: ScriptedServer) -> list[tuple[str, dict[str, Any]]]:
    """Method and payload of each call."""
    return [(heard.path.removeprefix("/api/"), json.loads(heard.body)) for heard in server.heard]


def test_alert_is_posted_to_the_channel_and_can_be_referred_to(serve: Callable[..., ScriptedServer]) -> None:
    """The reference is what an edit needs later."""
    server = serve(POSTED)
    assert post(server) == "C0AB/1795420800.000200"
    ((method, payload),) = sent(server)
    assert method == "chat.postMessage"
    assert payload["channel"] == "C0AB"
    assert payload["blocks"][0]["block_id"] == "alert:a1"
    assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)
    assert server.heard[0].headers["authorization"] == "Bearer xoxb-verysecret"
    assert server.heard[0].headers["content-type"] == "application/json;charset=utf-8"


def test_digest_is_posted_like_an_alert(serve: Callable[..., ScriptedServer]) -> None:
    """With its own marker."""
    server = serve(POSTED)
    digest = digest_of(one_each([ALERT, replace(ALERT, alert_id="a2")]))
    post(server, message=digest)
    assert sent(server)[0][1]["blocks"][0]["block_id"] == f"digest:{digest.digest_id}:2"


def test_follow_up_edits_the_alerts_own_message(serve: Callable[..., ScriptedServer]) -> None:
    """Marked as the follow-up alone: the alert was told before, and an edit is a message to the audit."""
    server = serve(said(ok=True, channel="C0OLD", ts="1795420800.000100", text="…"))
    assert post(server, message=notice()) == "C0OLD/1795420800.000100"
    ((method, payload),) = sent(server)
    assert method == "chat.update"
    assert (payload["channel"], payload["ts"]) == ("C0OLD", "1795420800.000100")
    ids = [block.get("block_id") for block in payload["blocks"]]
    assert (ids[0], "alert:a1" in ids) == ("follow-up:a1", False)


@pytest.mark.parametrize(
    "code", ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"]
)
def test_follow_up_that_cannot_edit_is_posted(serve: Callable[..., ScriptedServer], code: str) -> None:
    """The message was deleted, is too old, or lies in a channel that is no longer ours."""
    server = serve(failed(code), POSTED)
    assert post(server, message=notice()) == "C0AB/1795420800.000200"
    (_, (method, payload)) = sent(server)
    assert (method, payload["channel"]) == ("chat.postMessage", "C0AB")
    assert payload["blocks"][0]["block_id"] == "follow-up:a1"


HEAD = replace(ALERT, slack_ref="C0OLD/1795420800.000100", lead=True)
VIEW = IncidentView(incident_id="i1", count=2, first_ms=0, last_ms=1, faults=2, resolved=0, head=HEAD)
FOLDED = digest_of([Group(alerts=(replace(ALERT, alert_id="a2"),), view=VIEW)], edits=True)
"""A digest of one incident, which takes the place of its head's message."""


def test_digest_edits_the_message_of_its_incidents_head(serve: Callable[..., ScriptedServer]) -> None:
    """Marked as the digest, and not as the alert, which was told before; with the head's analysis."""
    server = serve(said(ok=True, channel="C0OLD", ts="1795420800.000100"))
    assert post(server, message=FOLDED) == HEAD.slack_ref
    ((method, payload),) = sent(server)
    assert (method, payload["channel"], payload["ts"]) == ("chat.update", "C0OLD", "1795420800.000100")
    ids = [block["block_id"] for block in payload["blocks"] if "block_id" in block]
    assert ids == [f"digest:{FOLDED.digest_id}:1", "analysis:a1"]
    assert payload["text"] == "HIGH: 2 alerts · Queue is growing"


@pytest.mark.parametrize(
    "code", ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"]
)
def test_digest_that_cannot_edit_is_posted(serve: Callable[..., ScriptedServer], code: str) -> None:
    """Whatever became of the head's message, its alerts are told."""
    server = serve(failed(code), POSTED)
    assert post(server, message=FOLDED) == "C0AB/1795420800.000200"
    (_, (method, payload)) = sent(server)
    assert (method, payload["channel"]) == ("chat.postMessage", "C0AB")
    assert payload["blocks"][0]["block_id"] == f"digest:{FOLDED.digest_id}:1"


def test_digest_whose_edit_has_no_known_outcome_is_not_posted_besides(
    serve: Callable[..., ScriptedServer],
) -> None:
    """It is tried again, as any message is."""
    server = serve(failed("internal_error"))
    with pytest.raises(NotifierUnavailableError):
        post(server, message=FOLDED)
    assert len(sent(server)) == 1


def test_reply_goes_into_the_thread_of_its_message(serve: Callable[..., ScriptedServer]) -> None:
    """In the channel where that is, with the ids of those whose analyses it shows."""
    storm = digest_of(one_each([replace(ALERT, alert_id=f"a{number}") for number in range(9)]), edits=True)
    server = serve(POSTED)
    for reply in storm.thread:
        post(server, message=replace(reply, parent_ref="C0OLD/1795420800.000100"))
    ((method, payload),) = sent(server)
    assert (method, payload["channel"], payload["thread_ts"]) == (
        "chat.postMessage",
        "C0OLD",
        "1795420800.000100",
    )
    assert [block["block_id"] for block in payload["blocks"]] == [f"analysis:a{n}" for n in range(9)]


@pytest.mark.parametrize("code", ["cannot_reply_to_message", "invalid_thread_ts", "thread_not_found"])
def test_reply_that_slack_refuses_is_refused(serve: Callable[..., ScriptedServer], code: str) -> None:
    """And not tried for ever: what it says is in the ledger."""
    (reply,) = digest_of(one_each([replace(ALERT, alert_id=f"a{n}") for n in range(9)]), edits=True).thread
    with pytest.raises(NotifierRefusedError):
        post(serve(failed(code)), message=replace(reply, parent_ref="C0OLD/1795420800.000100"))


def test_follow_up_of_a_webhooks_message_is_posted(serve: Callable[..., ScriptedServer]) -> None:
    """It was posted before the bot was configured."""
    server = serve(POSTED)
    post(server, message=notice(refers_to=None))
    assert [method for method, _ in sent(server)] == ["chat.postMessage"]


def test_edit_that_failed_for_now_is_not_posted_instead(serve: Callable[..., ScriptedServer]) -> None:
    """Or the analysis would be there twice."""
    server = serve(failed("internal_error"))
    with pytest.raises(NotifierUnavailableError):
        post(server, message=notice())
    assert [method for method, _ in sent(server)] == ["chat.update"]


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (Answer(429, b'{"ok":false,"error":"ratelimited"}', {"Retry-After": "30"}), 30),
        (failed("ratelimited"), None),
        (failed("message_limit_exceeded"), None),
    ],
)
def test_throttling_tells_how_long(
    serve: Callable[..., ScriptedServer], answer: Answer, wait_s: float | None
) -> None:
    """By status and header, or by the error alone."""
    server = serve(answer)
    with pytest.raises(NotifierThrottledError) as raised:
        post(server)
    assert raised.value.retry_after_s == wait_s
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (failed("internal_error"), True),
        (failed("fatal_error"), True),
        (failed("service_unavailable"), False),
        (failed("request_timeout"), False),
        *((failed(code), False) for code in ("team_added_to_org", "org_login_required")),
        *((failed(code), False) for code in ("external_channel_migrating", "accesslimited")),
        (failed("a_word_that_is_new"), True),
        (said(ok=False), True),
        (Answer(500, b"oops"), True),
        (Answer(504, b"oops"), True),
        (Answer(200, b"<html>"), True),
        (Answer(200, b"[]"), True),
        (Answer(200, b'{"ok": "yes"}'), True),
        (Answer(200, b""), True),
        (Answer(hang=True), True),
        (Answer(reset=True), True),
        (Answer(drip="body"), True),
    ],
)
def test_failure_is_for_later_and_says_whether_it_may_have_been_posted(
    serve: Callable[..., ScriptedServer], answer: Answer, *, unknown: bool
) -> None:
    """Slack says itself that its internal and fatal errors may come after the deed; a new word may pass."""
    server = serve(answer)
    with pytest.raises(NotifierUnavailableError) as raised:
        post(server, timeout_s=0.3)
    assert raised.value.outcome_unknown is unknown
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "answer",
    [
        *(failed(code) for code in ("channel_not_found", "is_archived", "not_in_channel", "missing_scope")),
        *(failed(code) for code in ("invalid_auth", "restricted_action", "method_deprecated")),
        Answer(302, b"", {"Location": "http://127.0.0.1:1/"}),
        Answer(404, b"nothing here"),
    ],
)
def test_refusal_of_the_bot_is_no_refusal_of_the_message(
    serve: Callable[..., ScriptedServer], answer: Answer
) -> None:
    """Any other message would fare the same; Slack's word is there, and not the token."""
    server = serve(answer)
    with pytest.raises(NotifierMisaddressedError, match="settings") as raised:
        post(server)
    assert "verysecret" not in str(raised.value)


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "invalid_arguments"])
def test_refusal_of_the_message_gives_slacks_word(serve: Callable[..., ScriptedServer], code: str) -> None:
    """It would be refused each time."""
    with pytest.raises(NotifierRefusedError, match=code):
        post(serve(failed(code)))


def test_message_whose_layout_is_refused_goes_out_once_more_as_text(
    serve: Callable[..., ScriptedServer],
) -> None:
    """By the same method, to the same channel."""
    server = serve(failed("invalid_blocks"), POSTED)
    assert post(server) is not None
    first, second = (json.loads(heard.body) for heard in server.heard)
    assert "blocks" in first
    assert "blocks" not in second
    assert second["channel"] == first["channel"]
    assert second["text"].endswith("\nalert:a1")


def test_redirect_does_not_carry_the_token_away(serve: Callable[..., ScriptedServer]) -> None:
    """A token goes to Slack's address and nowhere else."""
    elsewhere = serve(POSTED)
    server = serve(Answer(307, b"", {"Location": elsewhere.url}))
    with pytest.raises(NotifierMisaddressedError):
        post(server)
    assert elsewhere.heard == []


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "token_expired", "account_inactive"])
def test_rotated_token_is_read_again_at_once(serve: Callable[..., ScriptedServer], code: str) -> None:
    """A token that was revoked is replaced without waiting for the cache."""
    server = serve(failed(code), POSTED)
    assert post(server, "xoxb-old", "xoxb-new") == "C0AB/1795420800.000200"
    assert [heard.headers["authorization"] for heard in server.heard] == [
        "Bearer xoxb-old",
        "Bearer xoxb-new",
    ]


def test_refused_token_that_cannot_be_read_again_is_for_later(serve: Callable[..., ScriptedServer]) -> None:
    """A rotation while secrets cannot be read is no proof that the bot is gone."""
    with pytest.raises(NotifierUnavailableError) as raised:
        post(serve(failed("invalid_auth")), "xoxb-old", SecretUnavailableError("the secret x cannot be read"))
    assert not raised.value.outcome_unknown


BROKEN_TOKENS = ["xoxb-very\nsecret", "xoxb-very\r\nX: secret", "xoxb-very secret", "xoxb-vérysecret"]


@pytest.mark.parametrize("token", BROKEN_TOKENS)
def test_token_that_no_header_can_hold_is_never_tried(
    serve: Callable[..., ScriptedServer], token: str
) -> None:
    """It is read again at once, as it may have been corrected."""
    server = serve(POSTED)
    with pytest.raises(NotifierMisaddressedError, match="space or line break"):
        post(server, token)
    assert server.heard == []
    post(server, token, "xoxb-corrected")
    assert server.heard[0].headers["authorization"] == "Bearer xoxb-corrected"


@pytest.mark.parametrize("token", BROKEN_TOKENS)
def test_broken_token_is_in_no_log(
    serve: Callable[..., ScriptedServer], caplog: pytest.LogCaptureFixture, token: str
) -> None:
    """At no level, tracebacks included, not even by a caller that does not look at it first."""
    caplog.set_level(logging.DEBUG)
    server = serve(POSTED)
    for call in (
        lambda: post(server, token),
        lambda: send(server.url, {}, timeout_s=5, token=token),
    ):
        try:
            call()
        except (NotifierMisaddressedError, NotifierUnavailableError):
            logging.getLogger("test").exception("as a handler would")
    assert "secret" not in caplog.text.replace("in its secret", "")
    assert "xoxb" not in caplog.text


def test_missing_secret_is_no_address_and_unreachable_one_is_for_later(
    serve: Callable[..., ScriptedServer],
) -> None:
    """Missing is for an operator if it stays so; unreachable passes, and nothing was posted."""
    server = serve(POSTED)
    with pytest.raises(NotifierMisaddressedError, match="no Slack bot token"):
        post(server, SecretMissingError("the secret x is empty"))
    with pytest.raises(NotifierUnavailableError) as raised:
        post(server, SecretUnavailableError("the secret x cannot be read"))
    assert not raised.value.outcome_unknown
    assert server.heard == []


def test_token_is_in_no_log(serve: Callable[..., ScriptedServer], caplog: pytest.LogCaptureFixture) -> None:
    """At no level, whatever happens."""
    caplog.set_level(logging.DEBUG)
    for answer in (POSTED, Answer(500), failed("invalid_auth"), Answer(reset=True)):
        try:
            post(serve(answer))
        except (NotifierUnavailableError, NotifierMisaddressedError):
            logging.getLogger("test").exception("as a handler would")
    assert "verysecret" not in caplog.text
