"""The queues of a region, each with its dead-letter queue and encrypted by SQS's own keys."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components.region_context import RegionContext
from topology.limits import SQS_VISIBILITY_FACTOR
from topology.queues import (
    DEAD_LETTER_QUEUES,
    DEAD_LETTER_RETENTION_S,
    MAX_RECEIVE_COUNT,
    MESSAGE_RETENTION_S,
    WORK_QUEUES,
    QueueSpec,
)


class Queues(pulumi.ComponentResource):
    """Work queues that redrive to dead-letter queues, which take from those queues only."""

    def __init__(self, context: RegionContext, opts: pulumi.ResourceOptions | None = None) -> None:
        """Register the region's queues."""
        super().__init__("incident:region:Queues", context.logical("queues"), None, opts)
        self._context = context
        dead_letters = {spec: self._dead_letter(spec) for spec in DEAD_LETTER_QUEUES}
        work = {spec: self._work(spec, dead_letters) for spec in WORK_QUEUES}
        for spec, queue in dead_letters.items():
            sources = [work[source].arn for source in WORK_QUEUES if source.dead_letter == spec]
            self._allow_redrive(spec, queue, sources)
        self._queues: Mapping[QueueSpec, aws.sqs.Queue] = {**dead_letters, **work}
        self.register_outputs({})

    @property
    def arns(self) -> Mapping[QueueSpec, pulumi.Output[str]]:
        """The ARN of each queue."""
        return {spec: queue.arn for spec, queue in self._queues.items()}

    def url(self, spec: QueueSpec) -> pulumi.Output[str]:
        """The URL of a queue."""
        return self._queues[spec].url

    def _dead_letter(self, spec: QueueSpec) -> aws.sqs.Queue:
        return aws.sqs.Queue(
            self._context.logical(spec.key),
            region=self._context.region,
            name=self._context.names.queue(spec),
            message_retention_seconds=DEAD_LETTER_RETENTION_S,
            sqs_managed_sse_enabled=True,
            tags=self._context.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _work(self, spec: QueueSpec, dead_letters: Mapping[QueueSpec, aws.sqs.Queue]) -> aws.sqs.Queue:
        if spec.consumer is None or spec.dead_letter is None:
            raise ValueError(f"work queue {spec.key!r} has no consumer or no dead-letter queue; give it both")
        return aws.sqs.Queue(
            self._context.logical(spec.key),
            region=self._context.region,
            name=self._context.names.queue(spec),
            visibility_timeout_seconds=SQS_VISIBILITY_FACTOR * self._context.config.timeout_s[spec.consumer],
            message_retention_seconds=MESSAGE_RETENTION_S,
            redrive_policy=pulumi.Output.json_dumps(
                {
                    "deadLetterTargetArn": dead_letters[spec.dead_letter].arn,
                    "maxReceiveCount": MAX_RECEIVE_COUNT,
                }
            ),
            sqs_managed_sse_enabled=True,
            tags=self._context.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _allow_redrive(
        self, spec: QueueSpec, queue: aws.sqs.Queue, sources: list[pulumi.Output[str]]
    ) -> None:
        """A resource of its own: within the queue it would need the ARNs of queues that need this one's."""
        aws.sqs.RedriveAllowPolicy(
            self._context.logical(spec.key),
            region=self._context.region,
            queue_url=queue.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": sources}
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
