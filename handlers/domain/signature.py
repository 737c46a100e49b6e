"""The error signature: what alerts with one cause have in common, the key of the analysis cache.

What varies between two occurrences (numbers, ids, addresses, paths, quoted values) is replaced by what
kind of thing it is. Host, severity and times play no part. `VERSION` changes with the rules or the prompt,
which leaves older cache entries to expire unread.
"""

import hashlib
import json
import re
from typing import Final

from handlers.domain.alert import Alert

VERSION: Final = "1"

_MAX_CHARS: Final = 4_000
"""Of a message that count: the rest of a long one is usually a stack or a dump."""

_RULES: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "<uuid>"),
    (re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\b(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{0,4}\b", re.IGNORECASE), "<ip>"),
    (re.compile(r"\"[^\"]{0,500}\"|'[^']{0,500}'"), "<text>"),
    (re.compile(r"(?<![\w<])/(?:[\w.@+-]+/)*[\w.@+-]+"), "<path>"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\d+(?:\.\d+)?"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def error_signature(alert: Alert) -> str:
    """The signature of an alert: 64 hex digits."""
    parts = [
        VERSION,
        alert.source,
        *(normalised(part or "") for part in (alert.component, alert.title, alert.message)),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def normalised(text: str) -> str:
    """`text` without what differs between two occurrences of one fault."""
    text = text[:_MAX_CHARS]
    for pattern, kind in _RULES:
        text = pattern.sub(kind, text)
    return text.strip().casefold()
