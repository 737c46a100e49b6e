"""The analysis function: hints from the processing queue in, analysed alerts and hints out."""

import os
from typing import Any, Final

from handlers.adapters import aws, logs
from handlers.adapters.batches import work_batch
from handlers.adapters.claude import ClaudeAnalyst
from handlers.adapters.dynamodb import DynamoAnalysisCache, DynamoLedger
from handlers.adapters.invocation import Context, Event
from handlers.adapters.secrets import Secret
from handlers.adapters.sqs import SqsOutbox
from handlers.adapters.system import SystemClock, SystemRandomness, SystemSleeper
from handlers.domain.alert import Queue, Status
from handlers.domain.analysis import AnalysisWork
from handlers.domain.claims import Claims
from handlers.domain.states import Actor
from handlers.settings import AnalysisSettings

_settings: Final = AnalysisSettings.from_environment(os.environ)
logs.configure(function="analysis", region=_settings.aws_region)
_clock: Final = SystemClock()
_dynamodb: Final = aws.client("dynamodb", _settings.aws_region)
_work: Final = AnalysisWork(
    claims=Claims(
        ledger=DynamoLedger(_dynamodb, _settings.alerts_table),
        outbox=SqsOutbox(
            aws.client("sqs", _settings.aws_region),
            {
                Queue.PROCESSING: _settings.processing_queue_url,
                Queue.DISTRIBUTION: _settings.distribution_queue_url,
                Queue.DISTRIBUTION_CRITICAL: _settings.distribution_critical_queue_url,
            },
        ),
        clock=_clock,
        randomness=SystemRandomness(),
        sleeper=SystemSleeper(),
        actor=Actor.ANALYSIS,
        status=Status.RECEIVED,
        lease_s=_settings.lease_s,
    ),
    cache=DynamoAnalysisCache(_dynamodb, _settings.analysis_cache_table),
    analyst=ClaudeAnalyst(
        Secret(aws.client("secretsmanager", _settings.aws_region), _settings.anthropic_key_secret, _clock),
        model=_settings.claude_model,
    ),
    cache_ttl_s=_settings.cache_ttl_s,
)


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Work through one batch; answers which messages to keep in the queue."""
    return work_batch(event, _work.work, context=context, clock=_clock)
