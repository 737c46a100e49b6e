"""One POST to Slack, through Slack's SDK: to an incoming webhook, or with a bot's token to the Web API.

The webhook's URL and the token are secrets: they are never logged and never part of an error, and a redirect,
which would carry them elsewhere, is not followed. The SDK's client for webhooks serves both, since it sends
once, hands over whatever was answered, and parses nothing.
"""

import logging
import re
import socket
from http.client import HTTPException, InvalidURL
from typing import Any, Final
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient, WebhookResponse

from handlers.adapters.http import retry_after_of, within
from handlers.domain.ports import NotifierThrottledError, NotifierUnavailableError

_MAX_ANSWER_BYTES: Final = 64 * 1024
"""Of chat.postMessage, which sends the message back."""

_NEVER_SENT: Final = (ConnectionRefusedError, socket.gaierror, InvalidURL, UnicodeEncodeError)
"""Not each `UnicodeError`: an answer that cannot be decoded is one too."""

_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
"""What a URL and a header may be made of."""

_quiet: Final = logging.getLogger(f"{__name__}.sdk")
"""For the SDK, whose debug log prints the URL; what it knows of failures is in the errors below."""
_quiet.setLevel(logging.CRITICAL)


def send(url: str, payload: dict[str, Any], *, timeout_s: float, token: str | None = None) -> WebhookResponse:
    """Post `payload` once; what Slack answered, unless it asks to wait or failed.

    Raises:
        NotifierThrottledError: 429.
        NotifierUnavailableError: no answer in `timeout_s`, or a server error.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    webhook = _DirectWebhook(url, default_headers=headers, retry_handlers=[], logger=_quiet)
    webhook.timeout = timeout_s  # type: ignore[assignment]  # the SDK says int; urllib takes fractions
    try:
        answer = within(timeout_s, lambda: webhook.send_dict(payload))
    except (OSError, HTTPException, ValueError, LookupError, SlackClientError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        raise NotifierUnavailableError(
            f"Slack was not reached or did not answer: {type(cause).__name__}",
            outcome_unknown=not isinstance(cause, _NEVER_SENT),
        ) from None  # what it came from may show the URL or, as an invalid header does, the token
    status = answer.status_code
    if status == 429:  # noqa: PLR2004 - HTTP's own number, as below
        headers = {name.lower(): value for name, value in answer.headers.items()}
        raise NotifierThrottledError(
            "Slack answered 429", retry_after_s=retry_after_of(headers.get("retry-after"))
        )
    if status == 408 or status >= 500:  # noqa: PLR2004
        # A server that fails may have posted before it did: https://www.rfc-editor.org/rfc/rfc9110#section-15.6
        raise NotifierUnavailableError(f"Slack answered {status}", outcome_unknown=status != 408)  # noqa: PLR2004
    return answer


def is_sendable(secret: str) -> bool:
    """Whether a URL or token can be sent at all: visible ASCII, nothing between."""
    return _SENDABLE.fullmatch(secret) is not None


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
