"""The recovery function: run by a schedule each minute, in each region."""

import gc

gc.disable()  # until all is loaded: what imports make stays, and looking for garbage takes its time

import os
from typing import Any, Final

import msgspec

from handlers.adapters.aws import metrics
from handlers.adapters.lambda_events.invocation import Context, Event
from handlers.adapters.system import ThreadExecutor
from handlers.bootstrap import Parts
from handlers.domain.regions.expiry import Expiry, ExpiryReport
from handlers.domain.regions.recovery import Recovery
from handlers.settings import RecoverySettings

_settings: Final = RecoverySettings.from_environment(os.environ)
_parts: Final = Parts.of(_settings, function="recovery", sends_each_time=False)
_recovery: Final = Recovery(
    ledger=_parts.ledger,
    queue_sender=_parts.queue_sender,
    ownership=_parts.ownership,
    clock=_parts.clock,
    lease_s=_settings.lease_s,
    silences=_parts.silences(),
)


# An eventual ledger's table has a TTL.
_expiry: Final = (
    Expiry(ledger=_parts.ledger, records=_parts.coordination, clock=_parts.clock, executor=ThreadExecutor())
    if _settings.ledger_consistency == "strong"
    else None
)


def handler(_event: Event, context: Context) -> dict[str, Any]:
    """Recover what is overdue, delete what has expired, and tell CloudWatch; answers the counts."""
    # The last quarter is for the row under way to run into its timeouts, and for its chunk's wake-ups.
    until_ms = _parts.clock.now_ms() + context.get_remaining_time_in_millis() * 3 // 4
    report = _recovery.run(until_ms=until_ms)
    expiry = _expiry.run(until_ms=until_ms) if _expiry else ExpiryReport()
    metrics.put_gauges(
        parked=report.parked_now,
        oldest_expired_s=expiry.oldest_s,
        stack=_settings.stack,
        at_ms=_parts.clock.now_ms(),
    )
    return {**msgspec.structs.asdict(report), "expired": expiry.deleted}


gc.freeze()
gc.enable()
