"""A deployed stack as its users see it: built from stack outputs, so no script copies a physical name.

The command line, load tests, chaos experiments and drills all start from a `Deployment`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from clients.aws import AwsClients
from topology.errors import ExplainedError
from topology.functions import RECOVERY, FunctionSpec
from topology.names import LIVE_ALIAS, Names
from topology.outputs import GLOBAL, REGIONAL, SECRET, output_key
from topology.queues import (
    DISTRIBUTION_CRITICAL,
    DISTRIBUTION_DLQ,
    DISTRIBUTION_QUEUE,
    PROCESSING,
    PROCESSING_CRITICAL,
    PROCESSING_DLQ,
    QueueSpec,
)
from topology.regions import FAILOVER, PRIMARY, ROLES, Role


class IncompleteOutputsError(ExplainedError):
    """The stack's outputs lack something: it was deployed by another version, or its deployment failed."""


class NoOutputsError(IncompleteOutputsError):
    """There is not one of a stack's outputs: nothing was deployed, or these are no outputs at all."""


MISSING_SHOWN: Final = 3


@dataclass(frozen=True)
class RegionEndpoints:
    """What one region of the stack offers; URLs and ARNs are stack outputs.

    `api_domain`: what the name that fails over points to while this region takes new alerts; None without
    one.
    """

    role: Role
    region: str
    webhook_url: str
    health_url: str
    switch_url: str
    processing_queue_url: str
    processing_critical_queue_url: str
    dead_letter_queue_url: str
    distribution_queue_url: str
    distribution_critical_queue_url: str
    distribution_dead_letter_queue_url: str
    alarm_topic_arn: str
    backup_bucket: str
    backup_vault: str
    api_domain: str | None = None

    def queue_url(self, queue: QueueSpec) -> str:
        """The URL of one of its queues."""
        return {
            PROCESSING: self.processing_queue_url,
            PROCESSING_CRITICAL: self.processing_critical_queue_url,
            PROCESSING_DLQ: self.dead_letter_queue_url,
            DISTRIBUTION_QUEUE: self.distribution_queue_url,
            DISTRIBUTION_CRITICAL: self.distribution_critical_queue_url,
            DISTRIBUTION_DLQ: self.distribution_dead_letter_queue_url,
        }[queue]


@dataclass(frozen=True)
class Deployment:
    """One deployed stack and the clients that reach it.

    `alerts_url`: of the domain that fails over by itself; None where the stack has none. `route_secrets`: the
    names of the secrets that only routes use.
    """

    names: Names
    primary: RegionEndpoints
    failover: RegionEndpoints
    alerts_table: str
    analysis_cache_table: str
    coordination_table: str
    ledger_consistency: str
    alerts_url: str | None
    clients: AwsClients
    route_secrets: tuple[str, ...] = ()

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, object], clients: AwsClients) -> Self:
        """Build from `pulumi stack output --json` or the local state; secret outputs are not needed.

        Raises:
            NoOutputsError: there is none at all.
            IncompleteOutputsError: naming the first outputs that are missing or empty.
        """
        needed = (set(GLOBAL) | {output_key(k, r) for k in REGIONAL for r in ROLES}) - SECRET
        missing = sorted(key for key in needed if not outputs.get(key))
        if len(missing) == len(needed):
            raise NoOutputsError("none of a stack's outputs is there; deploy the stack first")
        if missing:
            more = f" and {len(missing) - MISSING_SHOWN} more" if len(missing) > MISSING_SHOWN else ""
            raise IncompleteOutputsError(
                f"the stack has no output {', '.join(missing[:MISSING_SHOWN])}{more}; deploy it again with "
                "this version"
            )
        text = {key: str(value) for key, value in outputs.items()}
        return cls(
            names=Names(text["Stack"]),
            primary=_endpoints(text, PRIMARY, text["PrimaryRegion"]),
            failover=_endpoints(text, FAILOVER, text["FailoverRegion"]),
            alerts_table=text["AlertsTableName"],
            analysis_cache_table=text["AnalysisCacheTableName"],
            coordination_table=text["CoordinationTableName"],
            ledger_consistency=text["LedgerConsistency"],
            alerts_url=text.get("AlertsUrl"),
            clients=clients,
            route_secrets=tuple(filter(None, text.get("SlackRouteSecretNames", "").split(","))),
        )

    @property
    def regions(self) -> tuple[RegionEndpoints, RegionEndpoints]:
        """The primary's and the failover's endpoints."""
        return self.primary, self.failover

    @property
    def tables(self) -> tuple[str, str, str]:
        """The names of the tables, the ledger's first."""
        return self.alerts_table, self.coordination_table, self.analysis_cache_table

    def api_key(self, endpoints: RegionEndpoints) -> str:
        """The value of a region's API key, asked of API Gateway and kept by nobody.

        Raises:
            IncompleteOutputsError: the region has no key of that name.
        """
        api_gateway = self.clients.client("apigateway", endpoints.region)
        found = api_gateway.get_api_keys(nameQuery=self.names.api_key, includeValues=True, limit=500)["items"]
        values = [str(key["value"]) for key in found if key["name"] == self.names.api_key]
        if not values:
            raise IncompleteOutputsError(
                f"{endpoints.region} has no API key named {self.names.api_key}; deploy the stack again"
            )
        return values[0]

    def environment(self, function: FunctionSpec, region: str) -> dict[str, str]:
        """The variables of what is deployed of a function in `region`.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region did not take the call.
        """
        found = self.clients.client("lambda", region).get_function_configuration(
            FunctionName=self.names.function(function), Qualifier=LIVE_ALIAS
        )
        return dict(found["Environment"]["Variables"])

    def run_recovery(self, region: str) -> None:
        """Have Recovery run in `region` now, out of turn, as its schedule does each minute.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region did not take the call.
        """
        self.clients.client("lambda", region).invoke(
            FunctionName=self.names.function(RECOVERY),
            Qualifier=LIVE_ALIAS,
            InvocationType="Event",
            Payload=b"{}",
        )


def _endpoints(outputs: Mapping[str, str], role: Role, region: str) -> RegionEndpoints:
    def output(key: str) -> str:
        return outputs[output_key(key, role)]

    return RegionEndpoints(
        role=role,
        region=region,
        webhook_url=output("WebhookUrl"),
        health_url=output("HealthUrl"),
        switch_url=output("SwitchUrl"),
        processing_queue_url=output("ProcessingQueueUrl"),
        processing_critical_queue_url=output("ProcessingCriticalQueueUrl"),
        dead_letter_queue_url=output("DeadLetterQueueUrl"),
        distribution_queue_url=output("DistributionQueueUrl"),
        distribution_critical_queue_url=output("DistributionCriticalQueueUrl"),
        distribution_dead_letter_queue_url=output("DistributionDeadLetterQueueUrl"),
        alarm_topic_arn=output("AlarmTopicArn"),
        backup_bucket=output("BackupBucketName"),
        backup_vault=output("BackupVaultName"),
        api_domain=outputs.get(output_key("ApiDomainName", role)),
    )
