"""The notifier where a bot token is configured: Slack's Web API, which can edit what it posted.

https://docs.slack.dev/reference/methods/chat.postMessage and .../chat.update; the bot needs the scope
`chat:write` and a seat in the channel.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from handlers.adapters.aws.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.adapters.http import countdown
from handlers.adapters.slack.blocks import edited_payload_of, payload_of, plain_payload_of
from handlers.adapters.slack.http import SlackAnswer, is_sendable, send
from handlers.domain.delivery.messages import Digest, FollowUpNotice, Message, ThreadReply
from handlers.domain.ports import (
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)

_log = logging.getLogger(__name__)

_MAX_REASON_CHARS: Final = 100
_MAYBE_ROTATED: Final = frozenset(
    {"invalid_auth", "token_revoked", "token_expired", "account_inactive", "not_authed"}
)
_THROTTLED: Final = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_UNAVAILABLE: Final = frozenset(
    {
        *("service_unavailable", "request_timeout", "team_added_to_org", "org_login_required"),
        *("external_channel_migrating", "accesslimited"),
    }
)
_MISADDRESSED: Final = _MAYBE_ROTATED | {
    *("access_denied", "channel_not_found", "ekm_access_denied", "enterprise_is_restricted", "is_archived"),
    *("is_inactive", "messages_tab_disabled", "missing_scope", "no_permission", "not_allowed_token_type"),
    *("not_in_channel", "restricted_action", "restricted_action_non_threadable_channel"),
    *("restricted_action_read_only_channel", "restricted_action_thread_only_channel"),
    *("team_access_not_granted", "team_not_found", "two_factor_setup_required"),
    *("deprecated_endpoint", "method_deprecated", "unknown_method"),
}
"""Of the token, the channel, what the one may do in the other, and the method: the same for any message."""
_REFUSED: Final = frozenset(
    {
        *("as_user_not_supported", "attachment_payload_limit_exceeded", "invalid_arg_name"),
        *("invalid_arguments", "invalid_array_arg", "invalid_blocks", "invalid_blocks_format"),
        *("invalid_charset", "invalid_form_data", "invalid_json", "invalid_post_type", "json_not_object"),
        *("missing_post_type", "msg_blocks_too_long", "msg_too_long", "no_text", "too_many_attachments"),
        *("block_mismatch", "cant_update_message", "edit_window_closed", "message_not_found"),
        *("cannot_reply_to_message", "invalid_thread_ts", "thread_not_found"),
    }
)
"""Of the message, or of the one that it was to edit or to reply to. What is in none of these lists is tried
again, and may have been posted: Slack says so of `internal_error` and `fatal_error`, and nobody knows of new
words."""


class SlackBotNotifier:
    """`Notifier` by a bot's token, to one channel."""

    def __init__(self, token: Secret, *, channel: str, api_url: str) -> None:
        """`channel`: its id, such as C0123456789, or name. `api_url` ends in a slash."""
        self._token = token
        self._channel = channel
        self._api_url = api_url

    def post(self, message: Message, *, timeout_s: float) -> str | None:
        """See `Notifier`. The reference is `<channel id>/<ts>`.

        A digest or follow-up edits the message it refers to; where that cannot be (deleted, too old,
        elsewhere), it is posted. A message that Slack refuses goes out once more without its layout, as
        plain text.
        """
        left_s = countdown(timeout_s)
        if isinstance(message, Digest | FollowUpNotice) and message.refers_to:
            channel, _, ts = message.refers_to.partition("/")
            try:
                return self._call(
                    "chat.update", {"channel": channel, "ts": ts, **edited_payload_of(message)}, left_s
                )
            except (NotifierRefusedError, NotifierMisaddressedError) as error:
                _log.info("Posting what cannot be edited", extra={"reason": str(error)})
        where = self._where(message)
        try:
            return self._post({**where, **payload_of(message)}, left_s)
        except NotifierRefusedError as error:
            _log.warning("Posting as plain text what Slack refuses", extra={"reason": str(error)})
            return self._post({**where, **plain_payload_of(message)}, left_s)

    def check(self, *, timeout_s: float) -> None:
        """Raise what `post` would unless Slack takes the token.

        https://docs.slack.dev/reference/methods/auth.test
        """
        self._call("auth.test", {}, countdown(timeout_s))

    def _where(self, message: Message) -> dict[str, Any]:
        """The channel, or the thread of a message: in the channel where that message is.

        https://docs.slack.dev/messaging/sending-and-scheduling-messages/#threading
        """
        if not isinstance(message, ThreadReply) or message.parent_ref is None:
            return {"channel": self._channel}
        channel, _, ts = message.parent_ref.partition("/")
        return {"channel": channel, "thread_ts": ts}

    def _post(self, payload: dict[str, Any], left_s: Callable[[], float]) -> str | None:
        # `parse` leaves addresses in the text that they are: text.
        inert = {"unfurl_links": False, "unfurl_media": False, "parse": "none"}
        return self._call("chat.postMessage", {**inert, **payload}, left_s)

    def _call(self, method: str, payload: dict[str, Any], left_s: Callable[[], float]) -> str | None:
        """Call once; with the token as it is now if Slack refuses the one we had, in case it was rotated."""
        token = self._checked_token()
        answer = self._send(method, payload, token, left_s())
        if answer.error in _MAYBE_ROTATED:
            rotated = self._checked_token(fresh=True)
            if rotated != token:
                answer = self._send(method, payload, rotated, left_s())
        if answer.ok:
            return f"{answer.channel}/{answer.ts}" if answer.channel and answer.ts else None
        raise _error_of(answer.error)

    def _send(self, method: str, payload: dict[str, Any], token: str, timeout_s: float) -> "_Answer":
        return _answer_of(send(self._api_url + method, payload, timeout_s=timeout_s, token=token))

    def _checked_token(self, *, fresh: bool = False) -> str:
        try:
            token = self._token.value(fresh=fresh)
        except SecretMissingError as error:
            raise NotifierMisaddressedError(f"no Slack bot token: {error}") from error
        except SecretUnavailableError as error:
            raise NotifierUnavailableError(str(error), outcome_unknown=False) from error
        if is_sendable(token):
            return token
        if not fresh:
            return self._checked_token(fresh=True)
        raise NotifierMisaddressedError(
            "the Slack bot token in its secret has a space or line break in it; put the token alone there"
        )


class _Answer(msgspec.Struct):
    ok: bool
    error: str = ""
    channel: str = ""
    ts: str = ""


def _answer_of(response: SlackAnswer) -> _Answer:
    """https://docs.slack.dev/apis/web-api/#responses."""
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise NotifierMisaddressedError(f"Slack answered {response.status}; see the bot's settings")
    try:
        return msgspec.json.decode(response.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise NotifierUnavailableError("Slack answered 200 but no result", outcome_unknown=True) from error


def _error_of(code: str) -> Exception:
    """The port's error for an error code of Slack's Web API."""
    word = repr(code[:_MAX_REASON_CHARS])
    if code in _THROTTLED:
        return NotifierThrottledError(f"Slack answered {word}")
    if code in _MISADDRESSED:
        return NotifierMisaddressedError(f"Slack refuses the bot: {word}; see its settings and its channel")
    if code in _REFUSED:
        return NotifierRefusedError(f"Slack refuses the message: {word}")
    return NotifierUnavailableError(f"Slack answered {word}", outcome_unknown=code not in _UNAVAILABLE)
