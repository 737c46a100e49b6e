"""What the embedded AWS accepts but does not do, or does otherwise.

Data for the documentation and for `responder local status`.

A green local run over one of these proves nothing. Measured on ministack 1.5.33; the in-process provider
keeps the list of single arguments that it leaves out beside each resource.
"""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["ignored", "differs", "missing"]
"""Accepted without effect; done, but not as AWS does it; refused."""


@dataclass(frozen=True)
class Deviation:
    """One difference from AWS: `what` happens here, and `matters`, what a local run therefore cannot show."""

    service: str
    kind: Kind
    what: str
    matters: str


DEVIATIONS: Final = (
    Deviation("regions", "differs", "the global tables' process outlives a region; replicas are in step",
              "no replication lag, no write conflicts, no lost second of MREC"),
    Deviation("regions", "differs", "secrets, IAM and S3 live in that process too",
              "a replicated secret is never stale"),
    Deviation("regions", "differs", "a killed region comes back with the resources of its last checkpoint",
              "later changes by hand (a concurrency limit, an alarm) and its logs are gone"),
    Deviation("sqs", "differs", "messages in the queues of a killed region are lost; on AWS they are kept",
              "harsher than AWS: only the ledger brings those alerts back"),
    Deviation("sqs", "differs", "a queue's policy: only a Deny of everybody holds, unless with auth",
              "a policy that fails to allow somebody is not noticed"),
    Deviation("sqs", "missing", "start_message_move_task", "redrive is done message by message"),
    Deviation("lambda", "ignored", "Runtime: every function runs on this machine's own Python",
              "a package built for the wrong Python or architecture passes"),
    Deviation("lambda", "ignored", "MemorySize, and the CPU share that follows from it",
              "durations and out-of-memory kills say nothing about AWS"),
    Deviation("lambda", "ignored", "alias routing weights", "a canary takes no share of the traffic"),
    Deviation("lambda", "differs", "the error type of a failure is always Runtime.HandlerError",
              "alarms and filters on an error type do not match"),
    Deviation("lambda", "differs", "REPORT lines have Max Memory Used 0 and no Init Duration",
              "memory and cold starts must be measured elsewhere"),
    Deviation("lambda", "differs", "boto3 is not provided by the runtime", "a package must bring its own"),
    Deviation("lambda", "ignored", "the role, unless the emulator runs with auth",
              "a missing permission is not noticed; the auth lane shows it"),
    Deviation("lambda", "differs", "the workers of a package share its files, and may write to them",
              "a function that writes to its own code, which AWS forbids, is not noticed"),
    Deviation("lambda", "missing", "a stream of the global tables as an event source",
              "the stream is in another process than the function"),
    Deviation("apigateway", "ignored", "deployments: a changed resource is live at once",
              "a forgotten redeployment is not noticed"),
    Deviation("apigateway", "missing", "the access log: written by the emulator instead, at once",
              "that AWS's arrives minutes later, and that the account needs a role for it"),
    Deviation("logs", "differs", "FilterLogEvents gives 10,000 events and no way to ask for more",
              "an audit by a longer access log is refused here"),
    Deviation("apigateway", "differs", "a body may exceed 10 MB, and a 502 shows the function's error",
              "test limits in the function, not here"),
    Deviation("apigateway", "differs", "addresses are /restapis/<id>/<stage>/_user_request_/<path>",
              "custom domains and DNS are not exercised"),
    Deviation("dynamodb", "ignored", "the consistency of a global table (MRSC or MREC)",
              "both behave as MRSC; the difference belongs to the simulator"),
    Deviation("dynamodb", "ignored", "an export says COMPLETED and writes no object",
              "backups need their own emulation"),
    Deviation("dynamodb", "ignored", "the time of a point-in-time restore", "a restore brings the present"),
    Deviation("secretsmanager", "ignored", "AddReplicaRegions at creation",
              "replication must be asked for in a second call"),
    Deviation("kms", "ignored", "encryption: keys exist, nothing is encrypted with them",
              "a missing kms:Decrypt is not noticed"),
    Deviation("cloudwatch", "missing", "AWS/SQS metrics are not published",
              "queue alarms stay INSUFFICIENT_DATA"),
    Deviation("cloudwatch", "ignored", "metric math returns nothing", "alarms on expressions never fire"),
    Deviation("logs", "ignored", "metric filters and EMF emit nothing",
              "the alarm on PARKED alerts never fires; `responder parked list` shows them"),
    Deviation("logs", "differs", "JSON filter patterns match all; Insights ignores stats and field filters",
              "counts by a query are wrong"),
    Deviation("backup", "ignored", "jobs complete with no recovery point; no restore, no copy",
              "AWS Backup is not exercised"),
    Deviation("route53", "missing", "health check status", "DNS failover is not exercised"),
    Deviation("fis", "missing", "the whole service: the emulator's own controls inject what it would",
              "its roles, stop conditions and the Lambda extension that it needs are not exercised"),
    Deviation("dynamodb", "differs", "throttled only when told to, every table of a region by chance",
              "a hot partition, burst capacity and a table's own limits are not shown"),
    Deviation("codedeploy", "missing", "the whole service", "canary deployments are not exercised"),
)  # fmt: skip
