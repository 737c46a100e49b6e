"""Which alerts are the same: the identity that repeats share, and the ids made from it.

Both regions compute the same id for the same alert, so a source's retry to the other region is a repeat.
"""

import hashlib
import json

from handlers.domain.alert import IncomingAlert
from handlers.domain.limits import UNSEEN_RETRY_S
from topology.alerts import FaultState


def identity_of(alert: IncomingAlert) -> str:
    """The identity (64 hex digits) of an alert: by its source's event id where there is one, else by content.

    The time of sending is no part of it: a source that sends an event again stamps it anew. The start of an
    episode is one, where the source has it, and so is its end: the same fault is another alert the next time,
    and one that ends later has ended once more. Labels count where
    there is no event id: two volumes of one host differ by nothing else. The severity counts always: what was
    a warning and is critical now is no repeat.
    """
    if alert.event_id is not None:
        times = (alert.episode, alert.changed_at)
        return _digest("event", alert.source, alert.event_id, alert.status, alert.severity, *times)
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


def fault_key_of(alert: IncomingAlert) -> str:
    """What all that is told of one fault has in common (32 hex digits), whatever its state and severity."""
    if alert.event_id is not None:
        return _digest("fault", alert.source, alert.event_id)[:32]
    labels = json.dumps(sorted(alert.labels.items()))
    return _digest("fault", alert.source, None, alert.title, alert.component, alert.host, labels)[:32]


def identity_of_key(key: str, index: int) -> str:
    """The identity of the alert at place `index` of a body that came with an `Idempotency-Key`."""
    return _digest("key", key, str(index))


def identity_of_fold(source: str, region: str) -> str:
    """The identity of the folds that tell of a source's alerts above its quota in a region."""
    return _digest("fold", region, source)


def source_hash_of(source: str) -> str:
    """A source in the name of a record (32 hex digits), whatever characters it has."""
    return _digest("source", source)[:32]


def alert_id_of(identity: str, *, at_ms: int, window_s: int, change: int = 0) -> str:
    """The id of an alert accepted at `at_ms`: `a` and 32 hex digits, the same throughout a time bucket.

    `change` is the number of the last change of its fault's state (see `faults`): an outage after a recovery
    is another alert.
    """
    parts = (identity, str(at_ms // (window_s * 1000)), *([str(change)] if change else []))
    return "a" + _digest("alert", *parts)[:32]


def change_number_of(before: int | None, *, body_hash: str | None, at_ms: int, state: FaultState) -> int:
    """The number of a change of a fault's state after the change `before`: odd for a resolution.

    `before` None: which one that was cannot be read. A retry to the other region has the same number, if it
    comes soon.
    """
    digits = _digest("change", str(before), body_hash, str(at_ms // (UNSEEN_RETRY_S * 1000)))[:12]
    return int(digits, 16) * 2 + (state is FaultState.RESOLVED)


def repeat_id_of(family: str, *, body_hash: str, index: int, change: int) -> str:
    """The id of a repeat: the first of its `family`, and 8 hex digits of the body and its place in that.

    `change`: the last of its fault's state. Those of a fold, one family, are not told apart by its id.
    """
    parts = (body_hash, str(index), *([str(change)] if change else []))
    return f"{family}.{_digest('repeat', *parts)[:8]}"


def body_hash_of(body: bytes) -> str:
    """What tells a sender's retry, which has the same bytes, from another body: 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def _digest(*parts: str | None) -> str:
    """JSON keeps the parts apart, whatever they contain."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
