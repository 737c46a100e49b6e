"""The analysis function: wake-ups from both processing queues in, analysed alerts and wake-ups out."""

import gc

gc.disable()  # until all is loaded: what imports make stays, and looking for garbage takes its time

import os
from typing import Any, Final

from handlers.adapters.aws.dynamodb import DynamoAnalysisCache
from handlers.adapters.aws.metrics import BatchMetrics
from handlers.adapters.aws.secrets import Secret
from handlers.adapters.claude import ClaudeAnalyst
from handlers.adapters.lambda_events.invocation import Context, Event
from handlers.adapters.lambda_events.sqs_batch import work_batch
from handlers.adapters.secret_checks import checked
from handlers.adapters.system import ThreadExecutor
from handlers.bootstrap import Parts
from handlers.domain.alert import Step
from handlers.domain.delivery.analysis import AnalysisWork
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.routing import Routing
from handlers.domain.moves import Actor
from handlers.settings import AnalysisSettings
from topology.secret_checks import CHECK_SECRET

_settings: Final = AnalysisSettings.from_environment(os.environ)
_parts: Final = Parts.of(_settings, function="analysis", sends_each_time=True)
_meter: Final = BatchMetrics(stack=_settings.stack, clock=_parts.clock)
_work: Final = AnalysisWork(
    leases=_parts.leases(Actor.ANALYSIS, Step.ANALYSIS),
    incidents=Incidents(
        ledger=_parts.ledger,
        coordination=_parts.coordination,
        clock=_parts.clock,
        window_s=_settings.incident_window_s,
    ),
    routing=Routing(routes=_settings.routes, default_edits=_settings.slack_edits),
    silences=_parts.silences(_settings.silences),
    cache=DynamoAnalysisCache(_parts.dynamodb, _settings.analysis_cache_table),
    analyst=ClaudeAnalyst(
        _parts.secret(_settings.anthropic_key_secret),
        model=_settings.claude_model,
        redact_emails=_settings.redact_emails,
    ),
    breaker=Breaker(coordination=_parts.coordination, clock=_parts.clock),
    executor=ThreadExecutor(),
    cache_ttl_s=_settings.cache_ttl_s,
    critical_patience_s=_settings.critical_patience_s,
    meter=_meter,
)


def _check_key(secret: Secret, within_s: float) -> None:
    ClaudeAnalyst(secret, model=_settings.claude_model).check(timeout_s=within_s)


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Work through one batch; answers which messages to keep in the queue. Or check a secret."""
    if CHECK_SECRET in event:
        return checked(event, secret=_parts.secret, probes={_settings.anthropic_key_secret: _check_key})
    answer = work_batch(
        event, _work.work, chains=_work.chains, executor=_work.executor, context=context, clock=_parts.clock
    )
    _meter.write()
    return answer


gc.freeze()
gc.enable()
