"""The distribution function: hints from both distribution queues in, Slack messages out."""

import os
from typing import Any, Final

from handlers.adapters import aws, logs
from handlers.adapters.batches import work_batch
from handlers.adapters.dynamodb import DynamoLedger
from handlers.adapters.invocation import Context, Event
from handlers.adapters.secrets import Secret
from handlers.adapters.slack import SlackNotifier
from handlers.adapters.sqs import SqsOutbox
from handlers.adapters.system import SystemClock, SystemRandomness, SystemSleeper
from handlers.domain.alert import Queue, Status
from handlers.domain.claims import Claims
from handlers.domain.distribution import DistributionWork
from handlers.domain.states import Actor
from handlers.settings import DistributionSettings

_settings: Final = DistributionSettings.from_environment(os.environ)
logs.configure(function="distribution", region=_settings.aws_region)
_clock: Final = SystemClock()
_work: Final = DistributionWork(
    claims=Claims(
        ledger=DynamoLedger(aws.client("dynamodb", _settings.aws_region), _settings.alerts_table),
        outbox=SqsOutbox(
            aws.client("sqs", _settings.aws_region),
            {
                Queue.DISTRIBUTION: _settings.distribution_queue_url,
                Queue.DISTRIBUTION_CRITICAL: _settings.distribution_critical_queue_url,
            },
        ),
        clock=_clock,
        randomness=SystemRandomness(),
        sleeper=SystemSleeper(),
        actor=Actor.DISTRIBUTION,
        status=Status.ANALYZED,
        lease_s=_settings.lease_s,
    ),
    notifier=SlackNotifier(
        Secret(aws.client("secretsmanager", _settings.aws_region), _settings.slack_webhook_secret, _clock),
        allowed_origin=_settings.slack_webhook_origin,
    ),
)


def handler(event: Event, context: Context) -> dict[str, Any]:
    """Work through one batch; answers which messages to keep in the queue."""
    return work_batch(event, _work.work, context=context, clock=_clock)
