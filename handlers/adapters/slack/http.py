"""One POST to Slack: to an incoming webhook, or with a bot's token to the Web API.

The webhook's URL and the token are secrets: they are never logged and never part of an error, and a redirect,
which would carry them elsewhere, is not followed. Slack's SDK has clients for both, which follow redirects
and read without end; to import them takes a third of a cold start (docs/adr/0014).
"""

import json
import re
import socket
from functools import cache
from http.client import HTTPException, HTTPResponse, InvalidURL
from ssl import create_default_context
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

import msgspec

from handlers.adapters.http import retry_after_of, within
from handlers.domain.ports import NotifierThrottledError, NotifierUnavailableError

_MAX_ANSWER_BYTES: Final = 64 * 1024
"""Of chat.postMessage, which sends the message back."""

_NEVER_SENT: Final = (ConnectionRefusedError, socket.gaierror, InvalidURL, UnicodeEncodeError)
"""Not each `UnicodeError`: an answer that cannot be decoded is one too."""

_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")
"""What a URL and a header may be made of."""


class SlackAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What Slack answered; `body` is cut at what any answer has."""

    status: int
    body: str
    retry_after_s: float | None


def send(url: str, payload: dict[str, Any], *, timeout_s: float, token: str | None = None) -> SlackAnswer:
    """Post `payload` once; what Slack answered, unless it asks to wait or failed.

    Raises:
        NotifierThrottledError: 429.
        NotifierUnavailableError: no answer in `timeout_s`, or a server error.
    """
    headers = {"Content-Type": "application/json;charset=utf-8"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        request = Request(url, json.dumps(payload).encode(), headers)  # noqa: S310 - the caller checks its origin
        answer = within(timeout_s, lambda: _answer_to(request, timeout_s))
    except (OSError, HTTPException, ValueError, LookupError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        raise NotifierUnavailableError(
            f"Slack was not reached or did not answer: {type(cause).__name__}",
            outcome_unknown=not isinstance(cause, _NEVER_SENT),
        ) from None  # what it came from may show the URL or, as an invalid header does, the token
    status = answer.status
    if status == 429:  # noqa: PLR2004 - HTTP's own number, as below
        raise NotifierThrottledError("Slack answered 429", retry_after_s=answer.retry_after_s)
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


@cache
def _opener() -> OpenerDirector:
    """Made once: it reads the machine's certificates."""
    return build_opener(_NoRedirect, HTTPSHandler(context=create_default_context()))


def _answer_to(request: Request, timeout_s: float) -> SlackAnswer:
    try:
        with _opener().open(request, timeout=timeout_s) as response:
            return _read(response)
    except HTTPError as error:  # any status but 2xx
        with error:
            return _read(error)


def _read(response: HTTPResponse | HTTPError) -> SlackAnswer:
    return SlackAnswer(
        status=int(response.status or 0),
        body=response.read(_MAX_ANSWER_BYTES).decode(errors="replace"),
        retry_after_s=retry_after_of(response.headers.get("retry-after")),
    )
