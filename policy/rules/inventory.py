"""What a resource is called, whose it is and where it is."""

import re
from collections.abc import Iterator, Mapping

from policy.rule import Resource, Stack, rule

TAGS = ("Project", "Stack", "Owner", "ManagedBy")

UNTAGGED = frozenset(
    {
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:apigateway/basePathMapping:BasePathMapping",
        "aws:apigateway/deployment:Deployment",
        "aws:apigateway/integration:Integration",
        "aws:apigateway/method:Method",
        "aws:apigateway/methodSettings:MethodSettings",
        "aws:apigateway/resource:Resource",
        "aws:apigateway/response:Response",
        "aws:apigateway/usagePlanKey:UsagePlanKey",
        "aws:backup/restoreTestingSelection:RestoreTestingSelection",
        "aws:backup/selection:Selection",
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/alias:Alias",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        "aws:lambda/permission:Permission",
        "aws:route53/record:Record",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:scheduler/schedule:Schedule",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
    }
)
"""Types that take no tags; a test compares with the AWS provider's SDK."""

GLOBAL = ("aws:iam/", "aws:route53/")
"""Services without regions."""

_NAME = "name"
NAMED_BY: Mapping[str, str] = {
    "aws:apigateway/apiKey:ApiKey": _NAME,
    "aws:apigateway/restApi:RestApi": _NAME,
    "aws:apigateway/usagePlan:UsagePlan": _NAME,
    "aws:backup/plan:Plan": _NAME,
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": _NAME,
    "aws:backup/restoreTestingSelection:RestoreTestingSelection": _NAME,
    "aws:backup/selection:Selection": _NAME,
    "aws:backup/vault:Vault": _NAME,
    "aws:cloudwatch/logGroup:LogGroup": _NAME,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _NAME,
    "aws:dynamodb/table:Table": _NAME,
    "aws:iam/role:Role": _NAME,
    "aws:iam/rolePolicy:RolePolicy": _NAME,
    "aws:lambda/alias:Alias": _NAME,
    "aws:lambda/function:Function": _NAME,
    "aws:route53/record:Record": _NAME,
    "aws:s3/bucket:Bucket": "bucket",
    "aws:scheduler/schedule:Schedule": _NAME,
    "aws:secretsmanager/secret:Secret": _NAME,
    "aws:sfn/stateMachine:StateMachine": _NAME,
    "aws:sns/topic:Topic": _NAME,
    "aws:sqs/queue:Queue": _NAME,
}
"""The argument that names a resource for people, by type; a test compares with the AWS provider's SDK."""


@rule()
def owner_tagged(resource: Resource, stack: Stack) -> Iterator[str]:
    """Whatever takes tags says its project, stack and owner, and that Pulumi manages it."""
    if resource.type in UNTAGGED:
        return
    tags = resource.inputs.get("tags") or {}
    for tag in TAGS:
        if not tags.get(tag):
            yield f"it has no tag {tag}; give it the stack's tags"
    if tags.get("Owner", stack.config.owner) != stack.config.owner:
        yield f"its Owner is {tags['Owner']} and not {stack.config.owner}; give it the stack's tags"


@rule()
def region_named(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A regional resource names its region: without one it would land in the provider's."""
    if not resource.type.startswith(GLOBAL) and not resource.inputs.get("region"):
        yield "it has no region; name one"


@rule()
def region_expected(resource: Resource, stack: Stack) -> Iterator[str]:
    """Nothing is in a region that the configuration does not name, replicas and the witness included."""
    config, inputs = stack.config, resource.inputs
    replicas = [r.get("regionName") or r.get("region") for r in inputs.get("replicas") or ()]
    for region in (inputs.get("region"), *replicas):
        if region and region not in config.regions:
            yield f"it is in {region}; the stack's regions are {', '.join(config.regions)}"
    witness = (inputs.get("globalTableWitness") or {}).get("regionName")
    if witness and witness != config.witness_region:
        yield f"its witness is in {witness} and not in {config.witness_region}"


@rule(*NAMED_BY)
def names_given(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A resource has the name that `topology.names` gives: none that Pulumi would make up."""
    name = resource.inputs.get(NAMED_BY[resource.type])
    if not name or re.fullmatch(re.escape(resource.name) + "-[0-9a-f]{7}", str(name)):
        yield f"its {NAMED_BY[resource.type]} is made up by Pulumi; give it one of topology.names"
