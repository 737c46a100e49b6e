"""The recovery function: run by a schedule each minute, in each region."""

import gc

gc.disable()  # until all is loaded: what imports make stays, and looking for garbage takes its time

import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from handlers.adapters.aws import clients, metrics
from handlers.adapters.aws.sns import SnsEscalation
from handlers.adapters.lambda_events.invocation import Context, Event
from handlers.adapters.system import ThreadExecutor
from handlers.bootstrap import Parts
from handlers.domain.regions.escalations import Escalations
from handlers.domain.regions.expiry import Expiry, ExpiryReport
from handlers.domain.regions.recovery import Recovery
from handlers.settings import RecoverySettings

if TYPE_CHECKING:
    from handlers.domain.regions.watch import Watch

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


_sns: Final[Any] = clients.LateClient("sns", _settings.aws_region)
_escalations: Final = (
    Escalations(
        ledger=_parts.ledger,
        ownership=_parts.ownership,
        escalation=SnsEscalation(_sns, _settings.escalation_topic_arn),
        clock=_parts.clock,
        region=_settings.aws_region,
        after_s=_settings.escalate_after_s,
        redact_emails=_settings.redact_emails,
    )
    if _settings.escalate_after_s
    else None
)


def _watch_of() -> "Watch | None":
    """The watch, if there is anything to watch for."""
    if not (_settings.heartbeats or _settings.synthetic_interval_s):
        return None
    from handlers.domain.regions.expected import watched_heartbeats, watched_synthetic  # noqa: PLC0415
    from handlers.domain.regions.watch import Watch  # noqa: PLC0415 - as above: reception's parts, if needed
    from handlers.intake_parts import reception_of  # noqa: PLC0415

    region, peer, interval_s = _settings.aws_region, _settings.peer_region, _settings.synthetic_interval_s
    primary = region == _settings.primary_region
    return Watch(
        coordination=_parts.coordination,
        reception=reception_of(_parts, _settings, hold_back_s=0),
        watched=(
            *watched_heartbeats(_settings.heartbeat_specs, region=region, peer=peer, primary=primary),
            *watched_synthetic(interval_s, region=region, peer=peer),
        ),
        synthetic_interval_s=interval_s,
    )


_watch: Final = _watch_of()


def handler(_event: Event, context: Context) -> dict[str, Any]:
    """Tell of what is missing, and a second way; recover what is overdue, delete what expired.

    It answers the counts; CloudWatch gets the gauges. What is missing comes first, as a ledger that fails
    every alert ends the rest.
    """
    # The last quarter is for the row under way to run into its timeouts, and for its chunk's wake-ups.
    until_ms = _parts.clock.now_ms() + context.get_remaining_time_in_millis() * 3 // 4
    watched = msgspec.structs.asdict(_watch.run(until_ms=until_ms)) if _watch else {}
    escalated = _escalations.run() if _escalations else 0
    report = _recovery.run(until_ms=until_ms)
    expiry = _expiry.run(until_ms=until_ms) if _expiry else ExpiryReport()
    metrics.put_gauges(
        parked=report.parked_now,
        oldest_expired_s=expiry.oldest_s,
        stack=_settings.stack,
        at_ms=_parts.clock.now_ms(),
    )
    return {**msgspec.structs.asdict(report), "expired": expiry.deleted, "escalated": escalated, **watched}


gc.freeze()
gc.enable()
