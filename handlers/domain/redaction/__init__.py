r"""Secrets and personal data taken out of text that leaves the ledger: for the model, for Slack, for a log.

The ledger keeps what the source sent; people with access to it have the rest. A mark says what kind stood in
its place, `[redacted: password]`, and nothing of its value, so that equal texts stay equal when a secret
changes. Escapes of ASCII (`\u003d`, `\/`, `%3D`) hide nothing: secrets are looked for behind them.

All input is hostile: no pattern looks at a character more than a bounded number of times, and each is
compiled when a text first has what it begins with.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec

from handlers.domain.limits import CUT_MARK, MAX_SAMPLE_BYTES, MAX_SEARCHED_BYTES, cut
from handlers.domain.redaction.named_values import find_named_values
from handlers.domain.redaction.tokens import E_MAIL, Span, find_tokens

_ESCAPE: Final = re.compile(r"(?:\\{1,8}u00|%(?:25){0,4})([2-7][0-9a-fA-F])|\\{1,8}/")
_MARK: Final = re.compile(r"\[redacted: [a-zA-Z \-]{1,20}\]")
_ENDS_A_VALUE: Final = frozenset(" \"'&<>\\")
"""These stay escaped: inside a value they do not end it."""


class _Plain(msgspec.Struct, frozen=True):
    """A text with its escapes undone, and where in the text as it came each piece of it begins."""

    text: str
    starts: list[int]
    origins: list[int]

    def origin(self, at: int) -> int:
        piece = bisect_right(self.starts, at) - 1
        end = self.origins[piece + 1] if piece + 1 < len(self.origins) else None
        origin = self.origins[piece] + at - self.starts[piece]
        return origin if end is None else min(origin, end)


def redacted(text: str, *, emails: bool = True) -> str:
    """`text` with a mark in the place of each secret, and of each e-mail address where `emails` says so.

    To redact twice changes nothing more. Its time grows with the text's length, not faster.
    """
    plain = _plain(text)
    spans = [
        (plain.origin(start), plain.origin(stop), kind)
        for start, stop, kind in (*find_named_values(plain.text), *find_tokens(plain.text))
        if emails or kind != E_MAIL
    ]
    if "[redacted: " in text:
        marks = [mark.span() for mark in _MARK.finditer(text)]
        spans = [span for span in spans if not _touches(marks, span)]
    return _without(spans, text, len(text))


def redacted_value(name: str, value: str, *, emails: bool = True) -> str:
    """`value` redacted, whole if it is named like a secret: a label has its name elsewhere."""
    named = redacted(f"{name}={value}", emails=emails)[len(name) + 1 :]
    mark = _MARK.match(named)
    return redacted(value, emails=emails) if mark is None or _MARK.match(value) else mark[0]


def sample_of(refused: bytes) -> str:
    """About the first `MAX_SAMPLE_BYTES` of what was refused, redacted, for whoever must mend its sender.

    Secrets are looked for in more than that, so that one which is cut by the sample's end is recognised by
    its whole. It errs on the safe side: of a secret in prose, the rest of its line goes, too.
    """
    text = _plain_body(refused[:MAX_SEARCHED_BYTES])
    spans = [*find_named_values(text, whole_lines=True), *find_tokens(text)]
    sample = _without(spans, text, len(_plain_body(refused[:MAX_SAMPLE_BYTES])))
    return cut(sample + CUT_MARK if len(refused) > MAX_SAMPLE_BYTES else sample, MAX_SAMPLE_BYTES)


def _plain_body(body: bytes) -> str:
    """The text of a body, also of one in UTF-16."""
    return _plain(body.decode(errors="replace").replace("\0", "")).text


def _plain(text: str) -> _Plain:
    pieces: list[str] = []
    starts, origins = [0], [0]
    at = length = 0
    for escape in _ESCAPE.finditer(text):
        char = "/" if escape[1] is None else chr(int(escape[1], 16))
        if not char.isprintable() or char in _ENDS_A_VALUE:
            continue
        pieces += [text[at : escape.start()], char]
        length += escape.start() - at + 1
        at = escape.end()
        starts += [length - 1, length]
        origins += [escape.start(), at]
    return _Plain(text="".join([*pieces, text[at:]]), starts=starts, origins=origins)


def _touches(marks: list[tuple[int, int]], span: Span) -> bool:
    """Whether a mark stands in it already; `marks` are in order."""
    after = bisect_right(marks, span[0], key=lambda mark: mark[1])
    return after < len(marks) and marks[after][0] < span[1]


def _without(spans: Iterable[Span], text: str, end: int) -> str:
    """The text up to `end`, with a mark in the place of each span; these may overlap."""
    pieces: list[str] = []
    at = 0
    for start, stop, kind in sorted(spans):
        if start >= end:
            break
        if start >= at and stop > start:
            pieces += [text[at:start], f"[redacted: {kind}]"]
        at = max(at, stop)
    return "".join([*pieces, text[at:end]])
