"""Which alerts are the same: the identity that repeats share, and the ids made from it.

Both regions compute the same id for the same alert, so a source's retry to the other region is a repeat.
"""

import hashlib
import json

from handlers.domain.alert import IncomingAlert


def identity_of(alert: IncomingAlert) -> str:
    """The identity (64 hex digits) of an alert: by its source's event id where there is one, else by content.

    The time of sending is no part of it: a source that sends an event again stamps it anew. The start of an
    episode is one, where the source has it: the same fault is another alert the next time. Labels count where
    there is no event id: two volumes of one host differ by nothing else.
    """
    if alert.event_id is not None:
        return _digest("event", alert.source, alert.event_id, alert.status, alert.episode)
    return _digest(
        "content",
        alert.source,
        alert.title,
        alert.message,
        alert.severity,
        alert.component,
        alert.host,
        alert.status,
        json.dumps(sorted(alert.labels.items())),
    )


def identity_of_key(key: str, index: int) -> str:
    """The identity of the alert at `index` of a body that came with an `Idempotency-Key`."""
    return _digest("key", key, str(index))


def alert_id_of(identity: str, *, at_ms: int, window_s: int) -> str:
    """The id of an alert accepted at `at_ms`: `a` and 32 hex digits, the same throughout a time bucket."""
    return "a" + _digest("alert", identity, str(at_ms // (window_s * 1000)))[:32]


def body_hash_of(body: bytes) -> str:
    """What tells two bodies apart that came with the same `Idempotency-Key`: 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def _digest(*parts: str | None) -> str:
    """JSON keeps the parts apart, whatever they contain."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
