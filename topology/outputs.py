"""Stack output keys: one per thing a script needs, per region. PascalCase, as in the runbook.

The failover region's key is the primary's with `Failover` before it.
"""

from collections.abc import Mapping
from typing import Final

from topology.functions import FUNCTIONS
from topology.regions import FAILOVER, Role

REGIONAL: Final = (
    "WebhookUrl",
    "HealthUrl",
    "SwitchUrl",
    "ApiKey",
    "ProcessingQueueUrl",
    "DeadLetterQueueUrl",
    "ProcessingCriticalQueueUrl",
    "DistributionQueueUrl",
    "DistributionCriticalQueueUrl",
    "DistributionDeadLetterQueueUrl",
    "AlarmTopicArn",
    "BackupBucketName",
    "BackupVaultName",
    *(f"{spec.suffix}Name" for spec in FUNCTIONS),
)
"""`ApiKey` is a secret output: `pulumi stack output ApiKey --show-secrets`."""

GLOBAL: Final = (
    "Stack",
    "PrimaryRegion",
    "FailoverRegion",
    "LedgerConsistency",
    "AlertsTableName",
    "AnalysisCacheTableName",
    "CoordinationTableName",
    "SlackWebhookSecretName",
    "AnthropicKeySecretName",
)

OPTIONAL: Final = ("AlertsUrl", "ApiDomainName", "FailoverApiDomainName", "SlackRouteSecretNames")
"""Only with a domain: the URL that fails over by itself, and what its name points to in each region. Only
with routes that have secrets of their own: the names of these, with commas between."""


RECORDS_FOLDER: Final = ".local/stacks"
"""In the program's folder: what the last `up` on this machine left of each stack on AWS, `<stack>.json`."""


def output_key(key: str, role: Role) -> str:
    """The output key of a regional thing in the region that plays `role`."""
    return f"Failover{key}" if role == FAILOVER else key


ALL: Final = (
    frozenset(GLOBAL)
    | frozenset(OPTIONAL)
    | {output_key(k, r) for k in REGIONAL for r in ("primary", "failover")}
)

SECRET: Final = frozenset(output_key("ApiKey", role) for role in ("primary", "failover"))
"""Never written down by us; Pulumi keeps them encrypted."""

SECRET_OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "aws:acm/certificate:Certificate": frozenset({"privateKey", "privateKeyWo"}),
    "aws:apigateway/apiKey:ApiKey": frozenset({"value"}),
    "aws:apigateway/domainName:DomainName": frozenset({"certificatePrivateKey"}),
    "aws:apigateway/usagePlanKey:UsagePlanKey": frozenset({"value"}),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": frozenset({"token"}),
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": frozenset({"token"}),
}
"""By Pulumi type, outputs of a resource that carry a secret: encrypted in Pulumi's state, in no file of ours.

pulumi-aws has all of them encrypted but that of UsagePlanKey, with which API Gateway gives the key too.
The token is AWS's word that a lock may be added to a bucket that has none.
"""
