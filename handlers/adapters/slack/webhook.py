"""The notifier: a Slack incoming webhook.

It cannot edit what it posted, so a follow-up is a message of its own.
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from handlers.adapters.aws.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.adapters.http import countdown
from handlers.adapters.slack.blocks import payload_of, plain_payload_of
from handlers.adapters.slack.http import SlackAnswer, is_sendable, send
from handlers.domain.delivery.messages import Message
from handlers.domain.ports import (
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierUnavailableError,
)

_log = logging.getLogger(__name__)

_MAX_REASON_CHARS: Final = 100
_MAYBE_ROTATED: Final = frozenset({403, 404, 410})
"""What Slack answers to the URL of a webhook that was revoked or whose channel is gone."""

_OF_THE_MESSAGE: Final = frozenset({400, 413})
_GONE_USER: Final = "user_not_found"
"""The one 400 that is about the webhook.
https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks"""


class SlackNotifier:
    """`Notifier` by an incoming webhook."""

    def __init__(self, url: Secret, *, allowed_origin: str) -> None:
        """`allowed_origin`: what the URL must start with, its closing slash included."""
        self._url = url
        self._allowed_origin = allowed_origin

    def post(self, message: Message, *, timeout_s: float) -> None:
        """See `Notifier`. A message that Slack refuses goes out once more, as plain text without layout."""
        left_s = countdown(timeout_s)
        try:
            self._post(payload_of(message), left_s)
        except NotifierRefusedError as error:
            _log.warning("Posting as plain text what Slack refuses", extra={"reason": str(error)})
            self._post(plain_payload_of(message), left_s)

    def check(self, *, timeout_s: float) -> None:
        """Raise what `post` would unless Slack takes messages by this webhook. Nothing is posted.

        A webhook that is good refuses a message without text.
        """
        with suppress(NotifierRefusedError):
            self._post({}, countdown(timeout_s))

    def _post(self, payload: dict[str, Any], left_s: Callable[[], float]) -> None:
        """A URL that Slack does not know, or that is none of Slack's, is read again once."""
        url = self._checked_url()
        answer = send(url, payload, timeout_s=left_s())
        if answer.status in _MAYBE_ROTATED:
            rotated = self._checked_url(fresh=True)
            if rotated != url:
                answer = send(rotated, payload, timeout_s=left_s())
        _raise_unless_ok(answer)

    def _checked_url(self, *, fresh: bool = False) -> str:
        try:
            url = self._url.value(fresh=fresh)
        except SecretMissingError as error:
            raise NotifierMisaddressedError(f"no Slack webhook: {error}") from error
        except SecretUnavailableError as error:
            raise NotifierUnavailableError(str(error), outcome_unknown=False) from error
        if url.startswith(self._allowed_origin) and is_sendable(url):
            return url
        if not fresh:
            return self._checked_url(fresh=True)
        raise NotifierMisaddressedError(
            f"the Slack webhook's URL in its secret does not start with {self._allowed_origin} "
            "or has a space or line break in it; put the webhook's URL there"
        )


def _raise_unless_ok(answer: SlackAnswer) -> None:
    """Turn Slack's answer into the port's words.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
    """
    status, text = answer.status, answer.body[:_MAX_REASON_CHARS]
    if status == 200 and answer.body.strip() == "ok":  # noqa: PLR2004 - HTTP's own number, as below
        return
    if status == 200:  # noqa: PLR2004
        raise NotifierUnavailableError(f"Slack answered 200 but not ok: {text!r}", outcome_unknown=True)
    if status in _OF_THE_MESSAGE and answer.body.strip() != _GONE_USER:
        raise NotifierRefusedError(f"Slack refuses the message: {status} {text!r}")
    raise NotifierMisaddressedError(
        f"Slack refuses the webhook: {status} {text!r}; see its settings in Slack"
    )
