"""The SQS queues of a region: which function each feeds and where its poison goes."""

from enum import StrEnum
from typing import Final, NamedTuple

from topology.functions import ANALYSIS, DISTRIBUTION, FunctionSpec
from topology.limits import SQS_RETENTION_MAX_S

MESSAGE_RETENTION_S: Final = 345_600
"""Four days, SQS's own default: a message is a wake-up, the ledger holds the alert."""

DEAD_LETTER_RETENTION_S: Final = SQS_RETENTION_MAX_S
MAX_RECEIVE_COUNT: Final = 5
"""Receives before a body goes to its dead-letter queue; AWS asks for at least five for a Lambda source.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""


class Queue(StrEnum):
    """The work queues, by the keys of their specs."""

    PROCESSING = "processing"
    PROCESSING_CRITICAL = "processing-critical"
    DISTRIBUTION = "distribution"
    DISTRIBUTION_CRITICAL = "distribution-critical"


class QueueSpec(NamedTuple):
    """One queue. A queue with a consumer has a `dead_letter` queue; a dead-letter queue has neither."""

    key: str
    suffix: str
    consumer: FunctionSpec | None = None
    dead_letter: "QueueSpec | None" = None
    batch_size: int = 1


PROCESSING_DLQ: Final = QueueSpec("processing-dlq", "processing-dlq")
DISTRIBUTION_DLQ: Final = QueueSpec("distribution-dlq", "distribution-dlq")

PROCESSING: Final = QueueSpec(Queue.PROCESSING, "processing", ANALYSIS, PROCESSING_DLQ, batch_size=5)
PROCESSING_CRITICAL: Final = QueueSpec(
    Queue.PROCESSING_CRITICAL, "processing-critical", ANALYSIS, PROCESSING_DLQ, batch_size=1
)
DISTRIBUTION_QUEUE: Final = QueueSpec(
    Queue.DISTRIBUTION, "distribution", DISTRIBUTION, DISTRIBUTION_DLQ, batch_size=10
)
DISTRIBUTION_CRITICAL: Final = QueueSpec(
    Queue.DISTRIBUTION_CRITICAL, "distribution-critical", DISTRIBUTION, DISTRIBUTION_DLQ, batch_size=1
)
"""CRITICAL alerts have queues of their own all the way: a backlog of others never delays them."""

WORK_QUEUES: Final = (PROCESSING, PROCESSING_CRITICAL, DISTRIBUTION_QUEUE, DISTRIBUTION_CRITICAL)
DEAD_LETTER_QUEUES: Final = (PROCESSING_DLQ, DISTRIBUTION_DLQ)
