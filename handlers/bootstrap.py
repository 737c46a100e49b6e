"""What every function is built from, by its settings: the one place where adapters meet the domain.

Each entry point makes its parts at its cold start, and adds what it alone needs.
"""

from typing import TYPE_CHECKING, Any, Self

import msgspec

from handlers.adapters import logs
from handlers.adapters.aws import clients as aws
from handlers.adapters.aws.coordination import DynamoCoordination
from handlers.adapters.aws.dynamodb import DynamoLedger
from handlers.adapters.aws.secrets import Secret
from handlers.adapters.aws.silences import DynamoSilences
from handlers.adapters.aws.sqs import SqsQueueSender
from handlers.adapters.system import SystemClock, SystemRandomness, SystemSleeper
from handlers.domain.alert import Step
from handlers.domain.delivery.leases import Leases
from handlers.domain.moves import Actor
from handlers.domain.regions.ownership import MovingOwnership, Ownership, SharedOwnership
from handlers.domain.silences import Silences
from handlers.settings import Settings
from topology.queues import Queue
from topology.secret_checks import CURRENT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from topology.silences import Silence


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one function in one region."""

    settings: Settings
    dynamodb: "DynamoDBClient"
    ledger: DynamoLedger
    queue_sender: SqsQueueSender
    coordination: DynamoCoordination
    ownership: Ownership
    clock: SystemClock
    secrets: Any
    current: dict[str, Secret] = {}
    """The secrets that this function uses, by name."""

    @classmethod
    def of(cls, settings: Settings, *, function: str, sends_each_time: bool) -> Self:
        """Make the clients that each invocation calls, and start to log; nothing is called yet.

        `sends_each_time`: whether one sends wake-ups, or few do.
        """
        region = settings.aws_region
        logs.configure(function=function, region=region)
        dynamodb, clock = aws.client("dynamodb", region), SystemClock()
        sqs: Any = aws.client("sqs", region) if sends_each_time else aws.LateClient("sqs", region)
        coordination = DynamoCoordination(dynamodb, settings.coordination_table)
        return cls(
            settings=settings,
            dynamodb=dynamodb,
            ledger=DynamoLedger(dynamodb, settings.alerts_table),
            # Which of them a function may really send to is its role's to say.
            queue_sender=SqsQueueSender(
                sqs,
                {
                    Queue.PROCESSING: settings.processing_queue_url,
                    Queue.PROCESSING_CRITICAL: settings.processing_critical_queue_url,
                    Queue.DISTRIBUTION: settings.distribution_queue_url,
                    Queue.DISTRIBUTION_CRITICAL: settings.distribution_critical_queue_url,
                },
            ),
            coordination=coordination,
            ownership=_ownership(settings, coordination, clock),
            clock=clock,
            secrets=aws.LateClient("secretsmanager", region),
        )

    def leases(self, actor: Actor, step: Step) -> Leases:
        """The leases of the worker that this function is."""
        return Leases(
            ledger=self.ledger,
            queue_sender=self.queue_sender,
            ownership=self.ownership,
            clock=self.clock,
            randomness=SystemRandomness(),
            sleeper=SystemSleeper(),
            actor=actor,
            step=step,
            lease_s=self.settings.lease_s,
        )

    def silences(self, configured: "tuple[Silence, ...]" = ()) -> Silences:
        """The silences that people made, and the configured ones."""
        stored = DynamoSilences(self.dynamodb, self.settings.coordination_table)
        return Silences(stored=stored, clock=self.clock, configured=configured)

    def secret(self, name: str, stage: str = CURRENT) -> Secret:
        """A secret, read when it is first needed; the current version is one for all who use it."""
        if stage != CURRENT:
            return Secret(self.secrets, name, self.clock, stage=stage)
        if name not in self.current:
            self.current[name] = Secret(self.secrets, name, self.clock)
        return self.current[name]


def _ownership(settings: Settings, coordination: DynamoCoordination, clock: SystemClock) -> Ownership:
    if settings.ledger_consistency == "strong":
        return SharedOwnership(owners=(settings.aws_region, settings.peer_region))
    return MovingOwnership(
        coordination=coordination,
        clock=clock,
        region=settings.aws_region,
        peer=settings.peer_region,
        takeover_after_s=settings.takeover_after_s,
    )
