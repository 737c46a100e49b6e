"""The analyst: Claude, through Anthropic's SDK, with its answer held to a JSON schema.

The alert's text is an attacker's to write and the answer depends on it: the answer is checked for shape and
cut in length here, and shown as plain text only. The SDK's own retries are off, since it would sleep a
server's Retry-After beyond the invocation's end; the domain retries in the time that is left.

The SDK takes ten times as long to import as all else together and most alerts find their analysis in the
cache, so it is imported when the model is first asked: docs/adr/0014.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from handlers.adapters.aws.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.adapters.http import countdown, retry_after_of, within
from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.prompt import SYSTEM, prompt_of
from handlers.domain.limits import MAX_ACTIONS, MAX_ANALYSIS_TEXT_CHARS, cut
from handlers.domain.ports import AnalystBusyError, AnalystFailedError, AnalystUnconfiguredError, ModelAnswer

if TYPE_CHECKING:
    import anthropic

_CONNECT_TIMEOUT_S: Final = 3.0
_MAX_TOKENS: Final = 2_000
_REFUSED_S: Final = 60.0
"""For at least so long nobody asks after the key or the model was refused, which an operator has to correct.
The breaker makes it longer each time, up to its own five minutes; what went without is followed up."""

_SPENT_S: Final = 900.0
_SPENT_CODES: Final = frozenset(
    {
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "organization_on_hold",
    }
)
"""What the SDK's `types.shared` knows of that is about the account, not the request."""

_SPENT_WORDS: Final = re.compile(
    r"You have reached your specified [\w ]*usage limits|Your credit balance is too low"
)
"""How a 400 begins that has no code for it: the limit that an organisation set for itself, until the month's
end; and prepaid credit. Only the beginning counts, which no alert can write.
https://github.com/anthropics/claude-code/issues/38035 and .../66314"""

_SCHEMA: Final[dict[str, object]] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "description": "what is happening, one or two sentences"},
        "probable_cause": {"type": "string", "description": "the most probable cause, one or two sentences"},
        "actions": {
            "type": "array",
            "items": {"type": "string"},
            "description": "first actions, two to five",
        },
        "confidence": {"type": "string", "enum": ["low", "medium", "high"]},
    },
    "required": ["summary", "probable_cause", "actions", "confidence"],
    "additionalProperties": False,
}

_ESCAPE: Final = re.compile(
    r"""(?P<good>\\["\\/bfnrt]
      | \\u(?:[0-9a-cefA-CEF][0-9a-fA-F]{3} | [dD][0-7][0-9a-fA-F]{2}
            | [dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))
      | \\u[0-9a-zA-Z]{0,4} | \\.""",
    re.VERBOSE | re.DOTALL,
)
"""An escape in JSON text: a good one, half a surrogate pair, or what a model garbled.
https://www.rfc-editor.org/rfc/rfc8259#section-7"""

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Reply(msgspec.Struct):
    summary: _Text
    probable_cause: _Text
    actions: list[str]
    confidence: Literal["low", "medium", "high"]


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    """What we read of a message. The SDK would build its own from anything, unchecked."""

    model: str
    stop_reason: str | None
    content: list[_Block]
    usage: _Usage


class ClaudeAnalyst:
    """`Analyst` by Claude. The SDK's ANTHROPIC_BASE_URL says where Claude is."""

    def __init__(self, key: Secret, *, model: str, redact_emails: bool = True) -> None:
        """`key` is read when it is first needed. `redact_emails`: whether Claude sees no e-mail addresses."""
        self._key = key
        self._redact_emails = redact_emails
        self._model = model
        self._client: anthropic.Anthropic | None = None
        self._lock = threading.Lock()
        self._calls: Counter[anthropic.Anthropic] = Counter()
        """By client: the calls that wait for their answers. One client makes several at once."""

    def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
        """See `Analyst`. A key that Claude refuses is read again once, in case it was rotated.

        The first call imports the SDK, which is not counted: Claude is not to blame for that time.
        """
        import anthropic  # noqa: PLC0415 - as this module's text says, here and below

        left_s = countdown(timeout_s)
        try:
            try:
                answer = self._ask(alert, left_s())
            except (anthropic.AuthenticationError, anthropic.PermissionDeniedError):
                answer = self._ask(alert, left_s(), fresh=True)
        except TimeoutError as error:
            raise AnalystBusyError("Claude did not finish its answer in time") from error
        except anthropic.APIConnectionError as error:
            raise AnalystBusyError(f"Claude was not reached: {type(error).__name__}") from error
        except anthropic.APIStatusError as error:
            raise _error_of(error) from error
        return _answer_of(answer)

    def check(self, *, timeout_s: float) -> None:
        """Raise what `analyse` would unless Claude takes the key and has the model. It costs nothing.

        https://platform.claude.com/docs/en/api/models/retrieve
        """
        import anthropic  # noqa: PLC0415

        try:
            with self._connected(fresh=False) as client:
                client.models.with_raw_response.retrieve(self._model, timeout=timeout_s)
        except anthropic.APIConnectionError as error:
            raise AnalystBusyError(f"Claude was not reached: {type(error).__name__}") from error
        except anthropic.APIStatusError as error:
            raise _error_of(error) from error

    @contextmanager
    def _connected(self, *, fresh: bool) -> Iterator["anthropic.Anthropic"]:
        """A client for one call. Others use it too: one that is given up is closed with their last."""
        import anthropic  # noqa: PLC0415

        try:
            key = self._key.value(fresh=fresh)
        except SecretMissingError as error:
            raise AnalystUnconfiguredError(str(error)) from error
        except SecretUnavailableError as error:
            raise AnalystBusyError(str(error)) from error
        with self._lock:
            if self._client is None or self._client.api_key != key:
                self._client = anthropic.Anthropic(
                    api_key=key,
                    max_retries=0,
                    # A redirect would carry the key to wherever it points.
                    http_client=anthropic.DefaultHttpxClient(follow_redirects=False),
                )
            client = self._client
            self._calls[client] += 1
        try:
            yield client
        except TimeoutError:
            # Its connection goes with it: the call under way ends at the next byte that it gets.
            with self._lock:
                self._client = None if self._client is client else self._client
            raise
        finally:
            with self._lock:
                self._calls[client] -= 1
                over = self._client is not client and not self._calls[client]
                if not self._calls[client]:
                    del self._calls[client]
            if over:
                client.close()

    def _ask(self, alert: Alert, timeout_s: float, *, fresh: bool = False) -> bytes:
        import anthropic  # noqa: PLC0415

        with self._connected(fresh=fresh) as client:

            def call() -> bytes:
                return client.messages.with_raw_response.create(
                    model=self._model,
                    max_tokens=_MAX_TOKENS,
                    system=SYSTEM,
                    messages=[{"role": "user", "content": prompt_of(alert, emails=self._redact_emails)}],
                    output_config={"format": {"type": "json_schema", "schema": _SCHEMA}},
                    timeout=anthropic.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S)),
                ).http_response.content

            return within(timeout_s, call)


def _answer_of(content: bytes) -> ModelAnswer:
    """The analysis in an answer of 200.

    Raises:
        AnalystBusyError: the answer is no message, or one that says nothing: the service has failed.
        AnalystFailedError: the model was cut off, would not answer, or did not follow the schema.
    """
    try:
        message = msgspec.json.decode(content, type=_Message)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise AnalystBusyError("Claude answered 200 and no message") from error
    if message.stop_reason != "end_turn":
        raise AnalystFailedError(f"Claude did not finish its answer: {message.stop_reason}")
    text = "".join(block.text for block in message.content if block.type == "text")
    if not text.strip():
        raise AnalystBusyError("Claude answered 200 and a message without text")
    try:
        reply = msgspec.json.decode(_ESCAPE.sub(_readable, text), type=_Reply)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise AnalystFailedError("Claude's answer does not follow the schema") from error
    actions = [action for action in reply.actions if action.strip()]
    return ModelAnswer(
        analysis=Analysis(
            summary=cut(reply.summary, MAX_ANALYSIS_TEXT_CHARS),
            probable_cause=cut(reply.probable_cause, MAX_ANALYSIS_TEXT_CHARS),
            actions=tuple(cut(action, MAX_ANALYSIS_TEXT_CHARS) for action in actions[:MAX_ACTIONS]),
            confidence=reply.confidence,
            model=message.model,
        ),
        input_tokens=message.usage.input_tokens,
        output_tokens=message.usage.output_tokens,
    )


def _readable(escape: re.Match[str]) -> str:
    """The escape as it is, or U+FFFD for one that stands for no character."""
    return escape[0] if escape["good"] else r"\ufffd"


def _error_of(error: "anthropic.APIStatusError") -> AnalystBusyError | AnalystFailedError:
    """What concerns the service passes, sooner or later; what concerns this request does not."""
    status = error.status_code
    text = f"Claude answered {status} {error.type or ''}".strip()
    asked_s = retry_after_of(error.response.headers.get("retry-after"))
    if _is_spent(error):
        return AnalystBusyError(
            f"{text}: the spend limit is reached", retry_after_s=max(asked_s or 0, _SPENT_S)
        )
    if status in (408, 409, 429) or status >= 500:  # noqa: PLR2004 - as HTTP defines them
        return AnalystBusyError(text, retry_after_s=asked_s)
    if status in (401, 403):
        return AnalystBusyError(f"{text}: the key is refused", retry_after_s=_REFUSED_S)
    if status == 404:  # noqa: PLR2004 - as HTTP defines it
        return AnalystBusyError(f"{text}: the model is not to be had", retry_after_s=_REFUSED_S)
    return AnalystFailedError(text)


def _is_spent(error: "anthropic.APIStatusError") -> bool:
    return (
        error.type == "billing_error"
        or error.error_code in _SPENT_CODES
        or _SPENT_WORDS.match(str(error.api_message)) is not None
    )
