"""The recovery function: run by a schedule each minute, in each region."""

import dataclasses
import os
from typing import Any, Final

from handlers.adapters import aws, logs
from handlers.adapters.dynamodb import DynamoLedger
from handlers.adapters.invocation import Context, Event
from handlers.adapters.sqs import SqsOutbox
from handlers.adapters.system import SystemClock
from handlers.domain.alert import Queue
from handlers.domain.recovery import Recovery
from handlers.settings import RecoverySettings

_settings: Final = RecoverySettings.from_environment(os.environ)
logs.configure(function="recovery", region=_settings.aws_region)
_clock: Final = SystemClock()
_recovery: Final = Recovery(
    ledger=DynamoLedger(aws.client("dynamodb", _settings.aws_region), _settings.alerts_table),
    outbox=SqsOutbox(
        aws.client("sqs", _settings.aws_region),
        {
            Queue.PROCESSING: _settings.processing_queue_url,
            Queue.DISTRIBUTION: _settings.distribution_queue_url,
            Queue.DISTRIBUTION_CRITICAL: _settings.distribution_critical_queue_url,
        },
    ),
    clock=_clock,
    owners=(_settings.aws_region, _settings.peer_region)
    if _settings.ledger_consistency == "strong"
    else (_settings.aws_region,),
    lease_s=_settings.lease_s,
)


def handler(_event: Event, context: Context) -> dict[str, Any]:
    """Recover what is overdue; answers the counts."""
    # The last quarter is for the row under way to run into its timeouts, and for its chunk's hints.
    until_ms = _clock.now_ms() + context.get_remaining_time_in_millis() * 3 // 4
    return dataclasses.asdict(_recovery.run(until_ms=until_ms))
