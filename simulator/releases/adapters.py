"""A release's ports over AWS's clients, as its `handlers.bootstrap` makes them.

A copy of this module is archived with each release, so it imports nothing but `handlers` and `topology`.
The tables and queues are called by their keys.
"""

from typing import Any

from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.adapters.aws.dynamodb import DynamoAnalysisCache, DynamoLedger
from handlers.adapters.aws.sqs import SqsQueueSender
from topology.queues import Queue
from topology.tables import ALERTS, ANALYSIS_CACHE, COORDINATION


def ledger(dynamodb: Any) -> DynamoLedger:
    """The alerts table."""
    return DynamoLedger(dynamodb, ALERTS.key)


def coordination(dynamodb: Any) -> DynamoCoordination:
    """The coordination table."""
    return DynamoCoordination(dynamodb, COORDINATION.key)


def cache(dynamodb: Any) -> DynamoAnalysisCache:
    """The analysis cache."""
    return DynamoAnalysisCache(dynamodb, ANALYSIS_CACHE.key)


def queue_sender(sqs: Any) -> SqsQueueSender:
    """The work queues of a region."""
    return SqsQueueSender(sqs, {queue: queue.value for queue in Queue})
