"""From bytes to a JSON object that every format can take: what can be mended is mended, and said so.

A sender rarely retries a refusal, and never with another body. So a NUL, half a surrogate pair or bytes that
are no UTF-8 cost their character and not the alerts beside them.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from handlers.domain.formats import RefusedError
from handlers.domain.limits import MAX_BODY_BYTES, MAX_NESTING

NOT_UTF_8: Final = "bytes that are no UTF-8"
SURROGATES: Final = "lone surrogates"
NULS: Final = "NUL characters"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_REPLACEMENT: Final = r"\ufffd"
_ESCAPES: Final = re.compile(
    r"(?P<good>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u])"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""An escaped pair of surrogates, another escape, or half of a pair.
https://www.rfc-editor.org/rfc/rfc8259#section-8.2"""


def decode(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON object in `body`, free of NUL and lone surrogates, and what was taken out of it.

    Raises:
        RefusedError: nothing of it can be taken.
    """
    if not body.strip():
        raise RefusedError(400, "empty_body", hint="send one JSON object")
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(
            413, "body_too_large", hint=f"the body has {len(body)} bytes; send at most {MAX_BODY_BYTES}"
        )
    document, mended = _decoded(body)
    if not isinstance(document, dict):
        raise RefusedError(400, "not_an_object", hint="the body must be a JSON object: {...}")
    if any("\0" in text for text in _texts(document)):
        document, mended = _without_nul(document), (*mended, NULS)
    return document, mended


def _decoded(body: bytes) -> tuple[Any, tuple[str, ...]]:
    try:
        return msgspec.json.decode(body), ()
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        text, mended = _mended(body)
    try:
        return msgspec.json.decode(text), mended
    except RecursionError as error:
        raise _too_deep() from error
    except msgspec.DecodeError as error:
        raise RefusedError(
            400, "not_json", hint="send one JSON object in UTF-8, whole and without NaN or Infinity"
        ) from error


def _mended(body: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a body that is no JSON as it came, and what had to be taken out of it."""
    text = body.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace")
    mended = [NOT_UTF_8] if text.encode() != body.removeprefix(_BYTE_ORDER_MARK) else []
    whole = _ESCAPES.sub(lambda escape: escape[0] if escape["good"] else _REPLACEMENT, text)
    if whole != text:
        mended.append(SURROGATES)
    return whole, tuple(mended)


def _texts(document: dict[str, Any]) -> Iterator[str]:
    """Every key and every string; refuses what is nested too deep."""
    pending: list[tuple[int, object]] = [(1, document)]
    while pending:
        level, value = pending.pop()
        if isinstance(value, str):
            yield value
            continue
        if not isinstance(value, dict | list):
            continue
        if level > MAX_NESTING:
            raise _too_deep()
        if isinstance(value, dict):
            yield from value
            pending += [(level + 1, child) for child in value.values()]
        else:
            pending += [(level + 1, child) for child in value]


def _without_nul(value: Any) -> Any:
    """`value` without NUL characters; it is at most `MAX_NESTING` deep."""
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, dict):
        return {key.replace("\0", ""): _without_nul(child) for key, child in value.items()}
    return [_without_nul(child) for child in value] if isinstance(value, list) else value


def _too_deep() -> RefusedError:
    return RefusedError(400, "too_deep", hint=f"nest objects and arrays at most {MAX_NESTING} deep")
