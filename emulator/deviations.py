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
    Deviation("sqs", "ignored", "the message group of a message on a standard queue: no queue is fair",
              "that a source which fills a queue does not make the others wait is not shown"),
    Deviation("sqs", "missing", "start_message_move_task", "redrive is done message by message"),
    Deviation("lambda", "ignored", "Runtime: every function runs on this machine's own Python",
              "a package built for the wrong Python or architecture passes"),
    Deviation("lambda", "ignored", "MemorySize, and the CPU share that follows from it",
              "durations and out-of-memory kills say nothing about AWS"),
    Deviation("lambda", "ignored", "alias routing weights", "a canary takes no share of the traffic"),
    Deviation("lambda", "differs", "the error type of a failure is always Runtime.HandlerError",
              "alarms and filters on an error type do not match"),
    Deviation("lambda", "differs", "REPORT lines have Max Memory Used 0; in a log group they have no Init "
              "Duration, and in the answer of Invoke that of a process of this machine",
              "memory and cold starts must be measured elsewhere"),
    Deviation("lambda", "differs", "boto3 is not provided by the runtime", "a package must bring its own"),
    Deviation("lambda", "ignored", "the role, unless the emulator runs with auth",
              "a missing permission is not noticed; the stack that enforces IAM shows it"),
    Deviation("lambda", "differs", "the workers of a package share its files, and may write to them",
              "a function that writes to its own code, which AWS forbids, is not noticed"),
    Deviation("lambda", "differs", "a queue's provisioned pollers: all of them poll at once, each with ten "
              "invocations under way and no limit of polls or bytes a second",
              "how fast AWS adds pollers and concurrency, and 10 polls and 1 MB a second of each"),
    Deviation("lambda", "differs", "a batching window begins with the oldest message that can be seen; "
              "no batch has more than ten",
              "windows that begin with the poll, and batches of up to 10,000"),
    Deviation("lambda", "missing", "a stream of the global tables as an event source",
              "the stream is in another process than the function"),
    Deviation("apigateway", "differs", "request validators and models are taken as they are, not as of the "
              "stage's deployment", "that a change of one waits for a redeployment is not noticed"),
    Deviation("apigateway", "differs", "requests wait up to five seconds for a function whose reserved "
              "concurrency is in use",
              "AWS throttles them at once; few are reserved here, where each is a process of this machine"),
    Deviation("apigateway", "missing", "the access log: written by the emulator instead, at once",
              "that AWS's arrives minutes later, and that the account needs a role for it"),
    Deviation("logs", "differs", "FilterLogEvents gives 10,000 events and no way to ask for more",
              "an audit by a longer access log says that the rest is unread"),
    Deviation("apigateway", "differs", "a body may exceed 10 MB, and a 502 shows the function's error",
              "test limits in the function, not here"),
    Deviation("apigateway", "differs", "addresses are /restapis/<id>/<stage>/_user_request_/<path>",
              "a source finds the region by DNS here, and then posts to that region's own port"),
    Deviation("apigateway", "differs", "a custom domain has a name and no address: nothing listens there",
              "TLS, its certificate, and the mapping of its paths are not exercised"),
    Deviation("acm", "differs", "a certificate is issued at once, whatever DNS says",
              "a validation record that is wrong is not noticed"),
    Deviation("dynamodb", "ignored", "the consistency of a global table (MRSC or MREC)",
              "both behave as MRSC; the difference belongs to the simulator"),
    Deviation("dynamodb", "differs", "the records of a stream are kept for ten seconds (AWS: a day)",
              "a reader of a stream that falls behind loses records much sooner here"),
    Deviation("dynamodb", "differs", "exports to S3 are emulated: one takes a second, in DYNAMODB_JSON only",
              "how long an export takes, and the size of its files, say nothing about AWS"),
    Deviation("dynamodb", "differs", "an incremental export's window may begin before recovery was enabled",
              "on AWS the hourly export fails until recovery has been on for exportMaxAgeH hours"),
    Deviation("dynamodb", "differs", "an incremental export's window may go up to now",
              "on AWS up to the latest restorable time, about five minutes ago"),
    Deviation("dynamodb", "differs", "point-in-time recovery is emulated: up to now (AWS: five minutes ago), "
              "50,000 writes back, and gone with the emulator",
              "the newest five minutes cannot be restored on AWS; the RPO of a restore is better here"),
    Deviation("dynamodb", "differs", "a restore is done at once, and within its region only",
              "the time to restore, which is most of an RTO, says nothing about AWS"),
    Deviation("dynamodb", "differs", "only a restored table refuses recovery at first, and only once",
              "how long a new table has to be waited for; its replicas are ACTIVE at once too"),
    Deviation("secretsmanager", "ignored", "AddReplicaRegions at creation",
              "replication must be asked for in a second call"),
    Deviation("secretsmanager", "missing", "RemoveRegionsFromReplication: an update that takes away a "
              "replica is refused", "on AWS the replica goes and the secret stays"),
    Deviation("pulumi", "differs", "a replacement that its own deletion would undo is refused",
              "Pulumi makes it, deletes it as the old one, and says that all is well"),
    Deviation("pulumi", "differs", "before what is deleted first goes what was made from it by an argument "
              "that replaces as a whole; Pulumi asks the provider, which may say so of a nested key too",
              "a dependant that on AWS would go and come again is updated here"),
    Deviation("pulumi", "differs", "what AWS fills in is read after a creation or an update only: no refresh",
              "that a resource was changed or deleted by hand is not noticed"),
    Deviation("kms", "ignored", "encryption: keys exist, nothing is encrypted with them",
              "a missing kms:Decrypt is not noticed"),
    Deviation("cloudwatch", "missing", "AWS/SQS metrics are not published; the alarms on a queue's visible "
              "messages see how many there are when they are evaluated",
              "on the dashboard queues are unknown; messages that were gone by then move no alarm"),
    Deviation("cloudwatch", "missing", "metrics of other services of AWS than Lambda, such as AWS/Backup",
              "alarms on them are INSUFFICIENT_DATA, whatever they take missing data for"),
    Deviation("cloudwatch", "ignored", "metric math returns nothing", "alarms on expressions never fire"),
    Deviation("cloudwatch", "differs", "AWS/Lambda has Invocations, Errors, Throttles, Duration and "
              "ConcurrentExecutions by FunctionName alone, at once",
              "figures of an alias or a version"),
    Deviation("cloudwatch", "differs", "alarms are evaluated when they are described (AWS: each minute), and "
              "act then; the minute under way counts",
              "an alarm that nobody looks at tells nobody: `responder health check` looks"),
    Deviation("cloudwatch", "differs", "no data from before an alarm was configured is taken for breaching",
              "a new stack's alarms on Recovery's silence and on backups, which on AWS are on at first"),
    Deviation("cloudtrail", "missing", "events of other calls than PurgeQueue, and of calls that fail",
              "AWS's history has all management events; who tried in vain is there with an errorCode"),
    Deviation("cloudtrail", "differs", "an event is there at once, without Resources, and gone with its "
              "region's process",
              "that AWS's arrives minutes later, and is kept for 90 days"),
    Deviation("logs", "ignored", "metric filters emit nothing", "none is used"),
    Deviation("cloudwatch", "differs", "metrics in log lines (EMF) are there at once",
              "that AWS's arrive minutes later"),
    Deviation("logs", "missing", "Insights has fields, display, filter, stats, sort and limit, and few "
              "functions; patterns of space-delimited lines and with %regular expressions%",
              "what AWS takes of these is refused here"),
    Deviation("logs", "differs", "a query of Insights is Complete when StartQuery answers",
              "that it has to be waited for is not exercised"),
    Deviation("backup", "differs", "jobs are emulated, for DynamoDB, and are over when their call returns",
              "the time they take, and what AWS does to other resources, are not shown"),
    Deviation("backup", "ignored", "the role of a job, with auth too, and what the account has to opt in to",
              "a missing permission or opt-in, by which every backup, copy or restore fails, is not noticed"),
    Deviation("backup", "ignored", "schedules of plans and of restore tests, and lifecycles",
              "start jobs by hand; nothing expires"),
    Deviation("backup", "differs", "a copy arrives though its destination's region is lost",
              "a copy that fails for that reason is not exercised"),
    Deviation("s3", "differs", "replicas and exports are written though their bucket's region is lost",
              "no replication lag, no object that is PENDING or FAILED because its copy's region is away"),
    Deviation("s3", "differs", "every connection counts as encrypted (aws:SecureTransport)",
              "that a bucket refuses a plain connection is not exercised"),
    Deviation("s3", "ignored", "replication of a retention that is changed after the write",
              "set it at the write, or by the bucket's default"),
    Deviation("s3", "differs", "an upload into a bucket with a default retention needs no checksum",
              "that DynamoDB's exports come with one, without which S3 refuses them, was never tried on AWS"),
    Deviation("scheduler", "ignored", "the role of a target, and of a state machine, unless with auth",
              "a missing permission is not noticed; the stack that enforces IAM shows it"),
    Deviation("scheduler", "missing", "retries of a schedule whose target refuses the call",
              "a run that AWS would try again for a day is lost here"),
    Deviation("dynamodb", "ignored", "the S3 permissions of who asks for an export",
              "a missing s3:PutObject is not noticed"),
    Deviation("states", "differs", "a wait takes a twentieth of its time",
              "how long a state machine waits is not shown"),
    Deviation("route53", "differs", "health checks are emulated: one checker, where AWS has many that vote",
              "that the others go on seeing an endpoint which some have lost; certificates, latency"),
    Deviation("route53", "differs", "DNS answers are emulated, on a port of its own, at once",
              "the minute that a change may take, and resolvers that keep an answer longer than its TTL"),
    Deviation("route53", "missing", "weighted, latency and alias records are answered SERVFAIL; checks other "
              "than HTTP, HTTPS and calculated ones are unhealthy; AWS's API has no status of them",
              "none of them is used; `Emulator.health_checks` tells the status"),
    Deviation("fis", "missing", "the whole service: the emulator's own controls inject what it would",
              "its roles, stop conditions and the Lambda extension that it needs are not exercised"),
    Deviation("dynamodb", "differs", "throttled only when told to: every table of a region by chance, or the "
              "keys of one index by their units, of which the burst is as told and no 300 seconds",
              "a hot partition of any other index or table, adaptive capacity, and a table's own limits"),
    Deviation("pulumi", "differs", "the plugin checks the names and nesting of arguments, not their values, "
              "and makes up no names",
              "that the real provider takes every value, and what it would call a resource without a name"),
    Deviation("pulumi", "differs", "a refresh looks for what can stand alone, and for nothing that is set on "
              "it (a policy, a permission, a setting of a bucket); arguments are taken as recorded",
              "drift of arguments, and what was taken off by hand"),
    Deviation("pulumi", "missing", "imports, and reads of resources of others", "none of them is used"),
    Deviation("codedeploy", "missing", "the whole service", "canary deployments are not exercised"),
)  # fmt: skip
