"""The notifier: a Slack incoming webhook, through Slack's SDK.

Text goes into plain-text elements, where Slack interprets no mentions, links or formatting; the fallback
text, which it does interpret, is escaped. The webhook's URL is a secret: it is never logged and never part
of an error, and a redirect is not followed.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
"""

import logging
import socket
from http.client import HTTPException
from typing import Final
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk.errors import SlackClientError
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.webhook import WebhookClient, WebhookResponse

from handlers.adapters.http import retry_after_of
from handlers.adapters.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.domain.ports import NotifierRefusedError, NotifierThrottledError, NotifierUnavailableError
from handlers.domain.slack_message import Notification

_MAX_ANSWER_BYTES: Final = 4_096
_MAX_REASON_CHARS: Final = 100
_MAYBE_ROTATED: Final = frozenset({403, 404, 410})
"""What Slack answers to the URL of a webhook that was revoked or whose channel is gone."""

_NEVER_SENT: Final = (ConnectionRefusedError, socket.gaierror)
_quiet: Final = logging.getLogger(f"{__name__}.sdk")
"""For the SDK, whose debug log prints the URL; what it knows of failures is in the errors below."""
_quiet.setLevel(logging.CRITICAL)


class SlackNotifier:
    """`Notifier` by an incoming webhook."""

    def __init__(self, url: Secret, *, allowed_origin: str) -> None:
        """`allowed_origin`: what the URL must start with, its closing slash included."""
        self._url = url
        self._allowed_origin = allowed_origin

    def post(self, notification: Notification, *, timeout_s: float) -> None:
        """See `Notifier`. A URL that Slack does not know is read again once, in case it was rotated."""
        url = self._checked_url()
        answer = self._send(url, notification, timeout_s)
        if answer.status_code in _MAYBE_ROTATED:
            rotated = self._checked_url(fresh=True)
            if rotated != url:
                answer = self._send(rotated, notification, timeout_s)
        _judge(answer)

    def _checked_url(self, *, fresh: bool = False) -> str:
        try:
            url = self._url.value(fresh=fresh)
        except SecretMissingError as error:
            raise NotifierRefusedError(f"no Slack webhook: {error}") from error
        except SecretUnavailableError as error:
            raise NotifierUnavailableError(str(error), outcome_unknown=False) from error
        if not url.startswith(self._allowed_origin):
            raise NotifierRefusedError(
                f"the Slack webhook's URL in its secret does not start with {self._allowed_origin}"
            )
        return url

    def _send(self, url: str, notification: Notification, timeout_s: float) -> WebhookResponse:
        webhook = _DirectWebhook(url, retry_handlers=[], logger=_quiet)
        webhook.timeout = timeout_s  # type: ignore[assignment]  # the SDK says int; urllib takes fractions
        try:
            return webhook.send(text=_escaped(notification.header), blocks=_blocks(notification))
        except (OSError, HTTPException, UnicodeError, LookupError, SlackClientError) as error:
            cause = error.reason if isinstance(error, URLError) else error
            raise NotifierUnavailableError(
                f"Slack was not reached or did not answer: {type(cause).__name__}",
                outcome_unknown=not isinstance(cause, _NEVER_SENT),
            ) from None  # what it came from names the URL's host and path


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """None: the answer that asks for a redirect is the answer."""


class _DirectWebhook(WebhookClient):
    """The SDK's client, but it follows no redirect and reads no endless answer: the SDK has no option."""

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        with build_opener(_NoRedirect).open(req, timeout=self.timeout) as answer:
            text = answer.read(_MAX_ANSWER_BYTES).decode(errors="replace")
            return WebhookResponse(
                url=url, status_code=answer.status, body=text, headers=dict(answer.headers.items())
            )


def _judge(answer: WebhookResponse) -> None:
    """Turn Slack's answer into the port's words.

    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/#handling_errors
    """
    status, text = answer.status_code, answer.body[:_MAX_REASON_CHARS]
    if status == 200 and answer.body.strip() == "ok":  # noqa: PLR2004 - HTTP's own number, as below
        return
    if status == 429:  # noqa: PLR2004
        headers = {name.lower(): value for name, value in answer.headers.items()}
        raise NotifierThrottledError(
            "Slack answered 429", retry_after_s=retry_after_of(headers.get("retry-after"))
        )
    if status == 200:  # noqa: PLR2004
        raise NotifierUnavailableError(f"Slack answered 200 but not ok: {text!r}", outcome_unknown=True)
    if status == 408 or status >= 500:  # noqa: PLR2004
        raise NotifierUnavailableError(f"Slack answered {status}", outcome_unknown=False)
    raise NotifierRefusedError(f"Slack refuses the message: {status} {text!r}; see the webhook's settings")


def _blocks(notification: Notification) -> list[Block]:
    blocks: list[Block] = [
        HeaderBlock(text=_plain(notification.header), block_id=f"alert:{notification.alert_id}"),
        SectionBlock(fields=[_plain(f"{name}\n{text}") for name, text in notification.fields]),
    ]
    blocks += [
        SectionBlock(text=_plain(text)) for text in (notification.message, notification.analysis) if text
    ]
    if notification.link:
        blocks.append(ActionsBlock(elements=[ButtonElement(text="Open the source", url=notification.link)]))
    blocks.append(ContextBlock(elements=[_plain(notification.footer)]))
    return blocks


def _plain(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)


def _escaped(text: str) -> str:
    """Escape what Slack interprets: https://docs.slack.dev/messaging/formatting-message-text/#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
