"""What accepts alerts, by the settings: reception takes in senders' by it, Recovery the project's own."""

from handlers.adapters.system import SystemRandomness, ThreadExecutor
from handlers.bootstrap import Parts
from handlers.domain.intake.faults import Faults
from handlers.domain.intake.quotas import Quotas
from handlers.domain.intake.reception import Reception
from handlers.domain.limits import FAULT_RECORD_WINDOWS
from handlers.settings import IntakeSettings


def reception_of(parts: Parts, settings: IntakeSettings, *, hold_back_s: int) -> Reception:
    """The domain's reception over a function's parts."""
    executor, windows_s = ThreadExecutor(), (settings.dedupe_event_window_s, settings.dedupe_content_window_s)
    return Reception(
        ledger=parts.ledger,
        faults=Faults(
            coordination=parts.coordination,
            executor=executor,
            keep_s=FAULT_RECORD_WINDOWS * max(windows_s),
        ),
        quotas=Quotas(
            coordination=parts.coordination,
            region=settings.aws_region,
            per_minute=settings.source_quota_per_minute,
        ),
        queue_sender=parts.queue_sender,
        ownership=parts.ownership,
        clock=parts.clock,
        randomness=SystemRandomness(),
        executor=executor,
        region=settings.aws_region,
        lease_s=settings.lease_s,
        hold_back_s=hold_back_s,
        event_window_s=settings.dedupe_event_window_s,
        content_window_s=settings.dedupe_content_window_s,
    )
