"""Physical names: the only place that makes one.

People's scripts and the operations runbook use these names, so they are a contract.
"""

import re
from dataclasses import dataclass

from topology.functions import FunctionSpec
from topology.queues import QueueSpec
from topology.regions import FAILOVER, Role
from topology.tables import TableSpec

PROJECT = "mcp-incident-responder"
"""The Pulumi project; the first part of every physical name."""

PRODUCTION_STACK = "prod"
LOCAL_STACK = "local"
"""The stack that runs on the embedded AWS."""

EMBEDDED_ACCOUNT = "000000000000"
"""The account of the embedded AWS; none of AWS has this number."""

TRIAL_STACK = "trial"
"""The stack that `responder deploy prove` deploys to AWS and removes."""

STACKS = ("dev", "staging", PRODUCTION_STACK, LOCAL_STACK, TRIAL_STACK)

LIVE_ALIAS = "live"
"""The alias that every trigger invokes; later deployments shift it."""

RESTORE = "restore"
"""What the role is for by which an operator has AWS Backup restore."""

SLACK_WEBHOOK = "slack-webhook"
"""The secret of the default channel, without the stack's prefix; those of routes add a hyphen and a name."""

API_STAGE = "v1"
"""The stage of the REST API; a part of its URL."""


@dataclass(frozen=True)
class Names:
    """The physical names of one stack."""

    stack: str

    @property
    def prefix(self) -> str:
        """`mcp-incident-responder-<stack>`: what every regional name starts with."""
        return f"{PROJECT}-{self.stack}"

    @property
    def role_prefix(self) -> str:
        """`mir-<stack>`: what every IAM role's name starts with.

        IAM role names hold 64 characters (see `topology.limits.IAM_ROLE_NAME_CHARS`): the project is left to
        its initials so that the longest region still fits.
        """
        return f"mir-{self.stack}"

    def has(self, name: str) -> bool:
        """Whether a physical name begins as this stack's do, in a log group's path or without hyphens too."""
        begin = f"{self.prefix}|{self.role_prefix}|{self.secret_prefix}"
        return bool(re.match(rf"(/aws/\w+/)?({begin})[-/]", name.replace("_", "-")))

    def table(self, spec: TableSpec) -> str:
        """A DynamoDB table, the same name in every region."""
        return f"{self.prefix}-{spec.suffix}"

    def restored(self, spec: TableSpec, time: str) -> str:
        """A table that is restored from `spec`'s, beside it; `time` makes the name its own."""
        return f"{self.table(spec)}-restored-{time}"

    def queue(self, spec: QueueSpec) -> str:
        """An SQS queue."""
        return f"{self.prefix}-{spec.suffix}"

    def function(self, spec: FunctionSpec) -> str:
        """A Lambda function."""
        return f"{self.prefix}-{spec.suffix}"

    def log_group(self, spec: FunctionSpec) -> str:
        """The CloudWatch log group of a function."""
        return f"/aws/lambda/{self.function(spec)}"

    def role(self, spec: FunctionSpec, region: str) -> str:
        """The execution role of a function; IAM is global, so the region is part of the name."""
        return f"{self.role_prefix}-{spec.key}-{region}"

    def service_role(self, purpose: str, region: str) -> str:
        """The role by which an AWS service acts for `purpose`, such as `schedule`."""
        return f"{self.role_prefix}-{purpose}-{region}"

    @property
    def api(self) -> str:
        """The REST API."""
        return f"{self.prefix}-api"

    @property
    def api_log_group(self) -> str:
        """The CloudWatch log group of the REST API's access log."""
        return f"/aws/apigateway/{self.api}"

    @property
    def api_key(self) -> str:
        """The API key that alert sources send; each region has one with a value of its own."""
        return f"{self.prefix}-sources"

    @property
    def usage_plan(self) -> str:
        """The usage plan of the API key."""
        return f"{self.prefix}-sources"

    @property
    def escalation_topic(self) -> str:
        """The SNS topic of the second way, by which people hear of what nobody has seen in Slack."""
        return f"{self.prefix}-escalation"

    @property
    def alarm_topic(self) -> str:
        """The SNS topic that CloudWatch alarms publish to."""
        return f"{self.prefix}-alarms"

    @property
    def parked_alarm(self) -> str:
        """The CloudWatch alarm that goes off while alerts are PARKED."""
        return f"{self.prefix}-parked-alerts"

    @property
    def recovery_alarm(self) -> str:
        """The CloudWatch alarm that goes off when Recovery comes to no end any more."""
        return f"{self.prefix}-recovery-silent"

    @property
    def routes_alarm(self) -> str:
        """The CloudWatch alarm that goes off when Slack takes nothing by the address of a route."""
        return f"{self.prefix}-unusable-routes"

    def errors_alarm(self, spec: FunctionSpec) -> str:
        """The CloudWatch alarm that goes off when a function fails too often."""
        return f"{self.function(spec)}-errors"

    @property
    def refusals_alarm(self) -> str:
        """The CloudWatch alarm that goes off when reception goes on refusing."""
        return f"{self.prefix}-refusals"

    @property
    def dashboard(self) -> str:
        """The CloudWatch dashboard of the stack, with the figures of both regions."""
        return self.prefix

    def dead_letter_alarm(self, queue: QueueSpec) -> str:
        """The CloudWatch alarm that goes off at the first message in a dead-letter queue."""
        return f"{self.queue(queue)}-messages"

    def health_check(self, region: str, what: str) -> str:
        """A Route 53 health check, such as `health` of a region: the `Name` tag that its console shows."""
        return f"{self.prefix}-{region}-{what}"

    @property
    def recovery_schedule(self) -> str:
        """The EventBridge schedule that runs Recovery."""
        return f"{self.prefix}-recovery"

    def backup_bucket(self, role: Role, suffix: str = "") -> str:
        """The bucket of backups, or its copy in the failover region.

        Bucket names are global to AWS: `suffix`, the stack's `backupBucketSuffix`, is for where one is taken.
        """
        parts = (f"{self.secret_prefix}-backups", suffix, "failover" if role == FAILOVER else "")
        return "-".join(part for part in parts if part)

    @property
    def backup_vault(self) -> str:
        """The AWS Backup vault, of the same name in both regions."""
        return f"{self.prefix}-backups"

    @property
    def restore_testing_plan(self) -> str:
        """The plan, and its one selection, by which AWS Backup tries restores; it takes no hyphens.

        https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreTestingPlanForCreate.html
        """
        return self.backup_vault.replace("-", "_")

    @property
    def full_export(self) -> str:
        """The schedule of the ledger's daily full export, which calls DynamoDB itself."""
        return f"{self.prefix}-full-export"

    @property
    def full_export_watch(self) -> str:
        """The schedule that has the daily full export watched, and the state machine that it starts."""
        return f"{self.prefix}-full-export-watch"

    @property
    def incremental_export(self) -> str:
        """The schedule of the ledger's hourly incremental export, and the state machine that it starts."""
        return f"{self.prefix}-incremental-export"

    @property
    def daily_copies(self) -> str:
        """The schedule that keeps a day's configuration and packages, and the state machine it starts."""
        return f"{self.prefix}-daily-copies"

    def backup_jobs_alarm(self, jobs: str) -> str:
        """The CloudWatch alarm on a day in which no job of AWS Backup completed; `jobs`: of which kind."""
        return f"{self.prefix}-{jobs}-missed"

    def backup_age_alarm(self, backup: str) -> str:
        """The CloudWatch alarm that goes off when the newest good backup is too old, or nobody knows.

        `backup`: `full-export`, `incremental-export` or `daily-copies`.
        """
        return f"{self.prefix}-{backup}-age"

    @property
    def secret_prefix(self) -> str:
        """`mcp-responder` in prod, `mcp-responder-<stack>` elsewhere."""
        return "mcp-responder" if self.stack == PRODUCTION_STACK else f"mcp-responder-{self.stack}"

    @property
    def slack_webhook_secret(self) -> str:
        """The Secrets Manager secret that holds the Slack incoming-webhook URL."""
        return self.route_secret(SLACK_WEBHOOK)

    def route_secret(self, secret: str) -> str:
        """The Secrets Manager secret with the webhook of a route; `secret` as in `topology.routes`."""
        return f"{self.secret_prefix}/{secret}"

    @property
    def slack_bot_token_secret(self) -> str:
        """The Secrets Manager secret that holds the Slack bot's token, where `slackChannel` is configured."""
        return f"{self.secret_prefix}/slack-bot-token"

    @property
    def anthropic_key_secret(self) -> str:
        """The Secrets Manager secret that holds the Anthropic API key."""
        return f"{self.secret_prefix}/anthropic-key"
