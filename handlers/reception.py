"""The reception function: API Gateway's requests and SNS's alarms in, the ledger and wake-ups out."""

import gc

gc.disable()  # until all is loaded: what imports make stays, and looking for garbage takes its time

import os
from typing import Any, Final

from handlers.adapters.aws import clients as aws
from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.adapters.aws.dynamodb import DynamoLedger
from handlers.adapters.aws.metrics import RefusalMetric
from handlers.adapters.lambda_events.invocation import Context, Event
from handlers.adapters.lambda_events.requests import alarm_messages, proxy_answer, request_of
from handlers.bootstrap import Parts
from handlers.domain.configured import configured_formats
from handlers.domain.intake.alarms import AlarmIntake
from handlers.domain.intake.heartbeats import Heartbeats
from handlers.domain.intake.refusals import Refusals
from handlers.domain.intake.webhook import Webhook
from handlers.domain.regions.switch import Switch
from handlers.intake_parts import reception_of
from handlers.settings import ReceptionSettings

_settings: Final = ReceptionSettings.from_environment(os.environ)
_parts: Final = Parts.of(_settings, function="reception", sends_each_time=True)
_reception: Final = reception_of(_parts, _settings, hold_back_s=_settings.hold_back_s)
# A health check wants an answer within two seconds, not a second try.
_quick: Final[Any] = aws.LateClient("dynamodb", _settings.aws_region, attempts=1, read_timeout_s=1)
_refusals: Final = Refusals(meter=RefusalMetric(stack=_settings.stack, clock=_parts.clock))
_sources: Final = configured_formats(_settings.sources)
_heartbeats: Final = Heartbeats(
    coordination=_parts.coordination,
    clock=_parts.clock,
    region=_settings.aws_region,
    specs=_settings.heartbeat_specs,
)
_webhook: Final = Webhook(
    reception=_reception,
    refusals=_refusals,
    probe=DynamoLedger(_quick, _settings.alerts_table),
    switch=Switch(
        coordination=DynamoCoordination(_quick, _settings.coordination_table), region=_settings.aws_region
    ),
    heartbeats=_heartbeats,
    sources=_sources,
)
_alarms: Final = AlarmIntake(
    reception=_reception,
    refusals=_refusals,
    allowed_topic_arn=_settings.alarm_topic_arn,
    heartbeats=_heartbeats,
    sources=_sources,
)


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Answer one request, or take the alarms of one SNS event.

    Raises:
        RefusedError, LedgerUnavailableError: for alarms only, so that Lambda tries again and counts it.
    """
    # What is under way then may still run into its timeouts, two tries each, before 503 is answered.
    until_ms = _parts.clock.now_ms() + context.get_remaining_time_in_millis() * 2 // 5
    messages = alarm_messages(event)
    if messages is None:
        return proxy_answer(_webhook.answer(request_of(event), until_ms=until_ms))
    for message in messages:
        _alarms.take(message, until_ms=until_ms)
    return {}


gc.freeze()
gc.enable()
