"""From bytes to a JSON object that every format can take: what can be mended is mended, and said so.

Whatever a sender does after a refusal (docs/senders.md), it does not mend the body. So a NUL, half a
surrogate pair, bytes that are no UTF-8 or a number that no row can hold cost what they stand in and not the
alerts beside them.
"""

import json
import math
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any, Final

import msgspec

from handlers.domain.limits import CUT_MARK, MAX_BODY_BYTES, MAX_NESTING
from handlers.domain.refusal import RefusedError

UNREADABLE: Final = "bytes that are no UTF-8, or lone surrogates"
NULS: Final = "NUL characters"
NUMBERS: Final = "numbers that are none or endless"
REPEATED: Final = "names that one object had twice"
TOO_DEEP: Final = f"what was nested more than {MAX_NESTING} deep"

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NO_TEXT: Final = re.compile("\0|[\ud800-\udfff]")
_MAX_DIGITS: Final = 310
"""Of a whole number; more than a float has room for, and Python refuses 4,300."""

_ODD_ESCAPE: Final = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))|\\')
"""A backslash that begins no escape of https://www.rfc-editor.org/rfc/rfc8259#section-7, such as a path's."""

_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A string, or a bracket. One without an end is a token too, so that no text is looked through twice."""


_ODD_CHARACTER: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""An escape of a NUL or of half a surrogate pair, which may be whole."""


class _Repeating(dict[str, Any]):
    """An object that had a name twice."""


_LOOKED_AT: Final = frozenset({dict, list, float, _Repeating})


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """A body's object, free of NUL and lone surrogates, and what was put right in it.

    `mended_in`: in the body's own lists, by their name and the place in them from 0; `mended`: anywhere else.
    """

    document: dict[str, Any]
    mended: tuple[str, ...]
    mended_in: Mapping[str, Mapping[int, tuple[str, ...]]] = msgspec.field(default_factory=dict)

    def mended_at(self, members: str | None, index: int) -> tuple[str, ...]:
        """What was put right that concerns the member at `index` of the list `members`.

        What stands in another member does not; with `members` None, everything concerns it.
        """
        marks = set(self.mended)
        for name, places in self.mended_in.items():
            marks.update(places.get(index, ()) if name == members else chain.from_iterable(places.values()))
        return tuple(sorted(marks))


def decode(body: bytes) -> Decoded:
    """The JSON object in `body`, at most `MAX_NESTING` deep.

    Raises:
        RefusedError: nothing of it can be taken.
    """
    if not body.strip():
        raise RefusedError(400, "empty_body", hint="send one JSON object")
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(
            413, "body_too_large", hint=f"the body has {len(body)} bytes; send at most {MAX_BODY_BYTES}"
        )
    text = body.removeprefix(_BYTE_ORDER_MARK).decode(errors="surrogateescape")
    document = _parsed(text)
    if not isinstance(document, dict):
        raise RefusedError(400, "not_an_object", hint="the body must be a JSON object: {...}")
    if _is_clean(text, document):
        return Decoded(document=document, mended=())
    marks = {REPEATED} if isinstance(document, _Repeating) else set()
    cleaned: dict[str, Any] = {}
    mended_in: dict[str, dict[int, tuple[str, ...]]] = {}
    for name, value in document.items():
        name_here = _cleaned(name, 1, marks)
        if not isinstance(value, list):
            cleaned[name_here] = _cleaned(value, 2, marks)
            continue
        in_members: list[set[str]] = [set() for _ in value]
        cleaned[name_here] = [
            _cleaned(member, 3, found) for member, found in zip(value, in_members, strict=True)
        ]
        if any(in_members):
            mended_in[name_here] = {n: tuple(found) for n, found in enumerate(in_members) if found}
    return Decoded(document=cleaned, mended=tuple(marks), mended_in=mended_in)


def _parsed(text: str) -> Any:
    """What the text says. Control characters in strings are taken, and backslashes that begin no escape."""
    try:
        return _DECODER.decode(text)
    except (RecursionError, json.JSONDecodeError):
        text = _shallow(_ODD_ESCAPE.sub(lambda escape: escape[1] or r"\\", text))
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise RefusedError(
            400, "too_deep", hint=f"nest objects and arrays at most {MAX_NESTING} deep, and close each"
        ) from error
    except json.JSONDecodeError as error:
        raise RefusedError(
            400, "not_json", hint="send one JSON object in UTF-8, and the whole of it"
        ) from error


def _is_clean(text: str, document: dict[str, Any]) -> bool:
    """Whether nothing is to be put right, as in most bodies: a tenth of the time of looking at each value.

    Each level is taken at once, and only what is no text, whole number, flag or null is looked at.
    """
    if "\0" in text or not _is_unicode(text) or _ODD_CHARACTER.search(text):
        return False
    level: list[Any] = [document]
    for _ in range(MAX_NESTING):
        if _Repeating in map(type, level):
            return False
        values = chain.from_iterable(part.values() if isinstance(part, dict) else part for part in level)
        inside = [value for value in values if type(value) in _LOOKED_AT]
        level = [value for value in inside if not isinstance(value, float)]
        if not all(map(math.isfinite, (value for value in inside if isinstance(value, float)))):
            return False
        if not level:
            return True
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(digits: str) -> float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The lists under one name are joined, since each may hold alerts; of other values the last counts."""
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    lists: dict[str, list[Any]] = {}
    for name, value in pairs:
        if isinstance(value, list):
            lists.setdefault(name, []).extend(value)
    return _Repeating(values | lists)


def _shallow(text: str) -> str:
    """`text` with null for whatever is nested two deeper than allowed: the level above it will be cut."""
    kept, start, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MAX_NESTING + 2:
                kept.append(text[start : token.start()])
        elif token[0] in "]}":
            if depth == MAX_NESTING + 2:
                kept.append("null")
                start = token.end()
            depth -= 1
    return "".join((*kept, text[start:]))


def _cleaned(value: Any, level: int, marks: set[str]) -> Any:
    """`value`, which is `level` deep, as every row can hold it; `marks` gets what was put right."""
    if isinstance(value, str):
        return _NO_TEXT.sub(lambda char: _replaced(char[0], marks), value)
    if isinstance(value, float) and not math.isfinite(value):
        marks.add(NUMBERS)
        return str(value)
    if not isinstance(value, dict | list):
        return value
    if level > MAX_NESTING:
        marks.add(TOO_DEEP)
        return CUT_MARK
    if isinstance(value, list):
        return [_cleaned(child, level + 1, marks) for child in value]
    if isinstance(value, _Repeating):
        marks.add(REPEATED)
    return {_cleaned(name, level, marks): _cleaned(child, level + 1, marks) for name, child in value.items()}


def _replaced(char: str, marks: set[str]) -> str:
    marks.add(UNREADABLE if char != "\0" else NULS)
    return "\ufffd" if char != "\0" else ""


_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_whole, object_pairs_hook=_object)
