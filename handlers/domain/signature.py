"""The error signature: what alerts with one cause have in common, the key of the analysis cache.

What varies between two occurrences (numbers, ids, addresses, paths, quoted values) is replaced by what
kind of thing it is. Host, severity and times play no part. `VERSION` changes with the rules or the prompt,
which leaves older cache entries to expire unread.
"""

import hashlib
import json
import re
from typing import Final, NamedTuple

from handlers.domain.alert import Alert

VERSION: Final = "1"

_MAX_CHARS: Final = 4_000
"""Of a message that count: the rest of a long one is usually a stack or a dump."""

_VALUES: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<uuid>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
    r"|(?P<url>https?://[^\s\"'<>]+)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}\b)"
    r"|(?P<text>\"[^\"]{0,500}\"|'[^']{0,500}')"
    r"|(?P<path>(?<![\w<])/(?:[\w.@+-]+/)*[\w.@+-]+)"
    r"|(?P<hex>\b0x[0-9a-f]+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b)"
    r"|(?P<n>\d+(?:\.\d+)?)",
    re.IGNORECASE,
)


class Template(NamedTuple):
    """A message without its values: `values[i]` is what stood at the i-th placeholder of `text`.

    Messages with equal `text` have equally many values.
    """

    text: str
    values: tuple[str, ...]


def template_of(message: str) -> Template:
    """What `message` has in common with other occurrences of its fault, and what it has not."""
    values: list[str] = []
    parts: list[str] = []
    end = 0
    message = " ".join(message[:_MAX_CHARS].split())
    for match in _VALUES.finditer(message):
        parts += message[end : match.start()].casefold(), f"<{match.lastgroup}>"
        values.append(match.group())
        end = match.end()
    parts.append(message[end:].casefold())
    return Template("".join(parts), tuple(values))


def normalize(message: str) -> str:
    """`message` without what differs between two occurrences of one fault."""
    return template_of(message).text


def error_signature(message: str, *, source: str = "") -> str:
    """The signature of a message: 64 hex digits, the same in every region and process."""
    return _hashed(source, message)


def signature_of(alert: Alert) -> str:
    """The signature of an alert, by its source, component, title and message: 64 hex digits."""
    return _hashed(alert.source, alert.component or "", alert.title, alert.message)


def _hashed(source: str, *texts: str) -> str:
    parts = [VERSION, source, *(normalize(text) for text in texts)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
