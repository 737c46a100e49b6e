"""What each rule of the policy pack must catch, planted into the resources that the program registers."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from policy.rule import Resource, Stack
from topology.names import PROJECT

Plant = Callable[[Stack], Stack]


def _change(type_: str, **inputs: object) -> Plant:
    """Plants other arguments into every resource of a type."""
    return lambda stack: _with(stack, type_, lambda r: replace(r, inputs={**r.inputs, **inputs}))


def _option(type_: str, **options: Any) -> Plant:
    """Plants other options into every resource of a type."""
    return lambda stack: _with(stack, type_, lambda r: replace(r, **options))


def _with(stack: Stack, type_: str, change: Callable[[Resource], Resource]) -> Stack:
    return replace(stack, resources=[change(r) if r.type == type_ else r for r in stack.resources])


def _drop(type_: str) -> Plant:
    """Plants the absence of a type."""
    return lambda stack: replace(stack, resources=[r for r in stack.resources if r.type != type_])


def _add(type_: str, **inputs: object) -> Plant:
    """Plants a resource of a type that no stack has."""
    return lambda stack: replace(stack, resources=[*stack.resources, Resource(type_, "planted", inputs)])


def _document(**statement: object) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", **statement}]})


def _allow(action: object, resource: object) -> str:
    return _document(Action=action, Resource=resource)


STRANGERS = _document(Principal="*", Action="x:Y")
_TABLE, _BUCKET_SETTING = "aws:dynamodb/table:Table", "aws:s3/bucket{0}:Bucket{0}"
_QUEUE, _ROLE, _ROLE_POLICY = "aws:sqs/queue:Queue", "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"
_REPLICA = {"regionName": "us-west-2", "pointInTimeRecovery": False, "deletionProtectionEnabled": False}
_THERE = {"regionName": "us-west-2", "pointInTimeRecovery": True, "deletionProtectionEnabled": True}
PLANTED: tuple[tuple[str, Plant], ...] = (
    ("tables-encrypted-by-kms", _change(_TABLE, serverSideEncryption=None)),
    ("queues-encrypted", _change(_QUEUE, sqsManagedSseEnabled=False)),
    ("topics-encrypted", _change("aws:sns/topic:Topic", kmsMasterKeyId=None)),
    ("keys-rotate", _change("aws:kms/key:Key", enableKeyRotation=False)),
    ("buckets-encrypted", _drop(_BUCKET_SETTING.format("ServerSideEncryptionConfiguration"))),
    ("buckets-take-tls-only", _change(_BUCKET_SETTING.format("Policy"), policy=_allow("s3:GetObject", "*"))),
    ("buckets-take-tls-only", _drop(_BUCKET_SETTING.format("Policy"))),
    ("domains-want-tls-1-2", _change("aws:apigateway/domainName:DomainName", securityPolicy="TLS_1_0")),
    ("domains-want-tls-1-2", _change("aws:apigateway/domainName:DomainName", securityPolicy=None)),
    ("alarms-not-sent-in-the-clear", _change("aws:sns/topicSubscription:TopicSubscription", protocol="http")),
    ("secret-outputs-encrypted", _option("aws:apigateway/usagePlanKey:UsagePlanKey", secret_outputs=())),
    ("secret-outputs-encrypted", _option("aws:apigateway/apiKey:ApiKey", secret_outputs=())),
    ("secrets-put-by-people", _add("aws:secretsmanager/secretVersion:SecretVersion")),
    *(
        (
            "buckets-block-public-access",
            _change(_BUCKET_SETTING.format("PublicAccessBlock"), **{block: False}),
        )
        for block in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    ),
    ("buckets-block-public-access", _drop(_BUCKET_SETTING.format("PublicAccessBlock"))),
    ("nothing-else-lets-in", _add("aws:s3/bucketAcl:BucketAcl", acl="public-read")),
    ("nothing-else-lets-in", _add("aws:s3/bucketAclV2:BucketAclV2", acl="public-read")),
    ("nothing-else-lets-in", _change(_BUCKET_SETTING.format(""), acl="public-read")),
    ("nothing-else-lets-in", _change(_BUCKET_SETTING.format(""), grants=[{"type": "Group"}])),
    ("nothing-else-lets-in", _change("aws:s3/bucketObjectv2:BucketObjectv2", acl="public-read")),
    ("nothing-else-lets-in", _add("aws:lambda/layerVersionPermission:LayerVersionPermission", principal="*")),
    ("nothing-else-lets-in", _add("aws:kms/grant:Grant", granteePrincipal="arn:aws:iam::1:user/u")),
    ("nothing-else-lets-in", _add("aws:cloudwatch/eventPermission:EventPermission", principal="*")),
    ("nothing-else-lets-in", _add("aws:apigatewayv2/route:Route", authorizationType="NONE")),
    ("policies-name-principals", _change("aws:sns/topicPolicy:TopicPolicy", policy=STRANGERS)),
    (
        "policies-name-principals",
        _change(
            "aws:sns/topicPolicy:TopicPolicy",
            policy=_document(Principal={"Service": "events.amazonaws.com"}, Action="sns:Publish"),
        ),
    ),
    ("policies-name-principals", _change(_QUEUE, policy=_document(Principal={"AWS": ["*"]}, Action="x:Y"))),
    *(
        ("policies-name-principals", _change(type_, policy=STRANGERS))
        for type_ in (
            _QUEUE,
            _BUCKET_SETTING.format(""),
            "aws:apigateway/restApi:RestApi",
            "aws:secretsmanager/secret:Secret",
            "aws:sns/topic:Topic",
        )
    ),
    *(
        ("policies-name-principals", _add(type_, **{argument: STRANGERS}))
        for type_, argument in (
            ("aws:backup/vaultPolicy:VaultPolicy", "policy"),
            ("aws:cloudwatch/logResourcePolicy:LogResourcePolicy", "policyDocument"),
            ("aws:dynamodb/resourcePolicy:ResourcePolicy", "policy"),
            ("aws:ecr/repositoryPolicy:RepositoryPolicy", "policy"),
            ("aws:opensearch/domain:Domain", "accessPolicies"),
            ("aws:s3/accessPoint:AccessPoint", "policy"),
            ("aws:sqs/queuePolicy:QueuePolicy", "policy"),
        )
    ),
    ("functions-invoked-by-named-sources", _change("aws:lambda/permission:Permission", sourceArn=None)),
    ("functions-invoked-by-named-sources", _change("aws:lambda/permission:Permission", principal="*")),
    (
        "functions-invoked-by-named-sources",
        _add("aws:lambda/functionUrl:FunctionUrl", authorizationType="NONE"),
    ),
    ("api-methods-want-a-key", _change("aws:apigateway/method:Method", apiKeyRequired=False)),
    ("api-keys-throttled", _change("aws:apigateway/usagePlan:UsagePlan", throttleSettings={"rateLimit": 1})),
    ("policies-name-actions", _change(_ROLE_POLICY, policy=_allow("sqs:*", "arn:aws:sqs:a:1:q"))),
    ("policies-name-actions", _change(_ROLE_POLICY, policy=_document(NotAction="iam:*", Resource="a"))),
    ("policies-name-actions", _change(_ROLE_POLICY, policy=_document(Action="a:B", NotResource="a"))),
    ("policies-name-actions", _change(_QUEUE, policy=_document(Action="a:B", NotPrincipal="a"))),
    ("policies-name-actions", _change(_QUEUE, policy=_allow("sqs:*", "*"))),
    ("roles-name-resources", _change(_ROLE_POLICY, policy=_allow(["sqs:SendMessage"], "*"))),
    ("roles-taken-on-by-services", _change(_ROLE, assumeRolePolicy=STRANGERS)),
    (
        "roles-taken-on-by-services",
        _change(_ROLE, assumeRolePolicy=_document(Principal={"AWS": "arn:aws:iam::1:root"}, Action="a:B")),
    ),
    (
        "roles-only-with-policies-of-their-own",
        _change(_ROLE, managedPolicyArns=["arn:aws:iam::aws:policy/A"]),
    ),
    ("roles-only-with-policies-of-their-own", _change(_ROLE, inlinePolicies=[{"policy": _allow("*", "*")}])),
    *(
        ("roles-only-with-policies-of-their-own", _add(f"aws:iam/{type_[0].lower()}{type_[1:]}:{type_}"))
        for type_ in ("User", "AccessKey", "UserPolicy", "RolePolicyAttachment", "PolicyAttachment", "Policy")
    ),
    ("tables-recover-to-any-second", _change(_TABLE, replicas=[{**_THERE, "pointInTimeRecovery": False}])),
    ("tables-recover-to-any-second", _change(_TABLE, pointInTimeRecovery=None)),
    ("tables-refuse-deletion", _change(_TABLE, replicas=[{**_THERE, "deletionProtectionEnabled": False}])),
    ("tables-refuse-deletion", _change(_TABLE, deletionProtectionEnabled=False)),
    ("irreplaceable-protected", _option("aws:secretsmanager/secret:Secret", protect=False)),
    ("nothing-destroyed-with-its-content", _change("aws:backup/vault:Vault", forceDestroy=True)),
    ("nothing-destroyed-with-its-content", _change(_BUCKET_SETTING.format(""), forceDestroy=True)),
    (
        "nothing-destroyed-with-its-content",
        _change("aws:secretsmanager/secret:Secret", recoveryWindowInDays=0),
    ),
    (
        "buckets-versioned",
        _change(_BUCKET_SETTING.format("Versioning"), versioningConfiguration={"status": "Suspended"}),
    ),
    ("buckets-locked", _drop(_BUCKET_SETTING.format("ObjectLockConfiguration"))),
    (
        "buckets-locked",
        _change(
            _BUCKET_SETTING.format("ObjectLockConfiguration"),
            rule={"defaultRetention": {"mode": "COMPLIANCE", "days": 1}},
        ),
    ),
    ("buckets-expire", _drop(_BUCKET_SETTING.format("LifecycleConfiguration"))),
    (
        "buckets-expire",
        _change(_BUCKET_SETTING.format("LifecycleConfiguration"), rules=[{"status": "Disabled"}]),
    ),
    (
        "vaults-locked",
        _change("aws:backup/vaultLockConfiguration:VaultLockConfiguration", minRetentionDays=1),
    ),
    ("vaults-locked", _drop("aws:backup/vaultLockConfiguration:VaultLockConfiguration")),
    ("logs-kept-as-configured", _change("aws:cloudwatch/logGroup:LogGroup", retentionInDays=0)),
    ("alarms-tell-somebody", _change("aws:cloudwatch/metricAlarm:MetricAlarm", alarmActions=[])),
    ("alarms-tell-somebody", _change("aws:cloudwatch/metricAlarm:MetricAlarm", actionsEnabled=False)),
    ("functions-run-on-the-one-runtime", _change("aws:lambda/function:Function", runtime="python3.9")),
    ("owner-tagged", _change(_QUEUE, tags={"Project": PROJECT})),
    (
        "owner-tagged",
        _change(_QUEUE, tags={"Project": PROJECT, "Stack": "prod", "Owner": "x", "ManagedBy": "pulumi"}),
    ),
    ("region-named", _change(_QUEUE, region=None)),
    ("region-expected", _change(_QUEUE, region="eu-west-1")),
    ("region-expected", _change(_TABLE, replicas=[{**_THERE, "regionName": "eu-west-1"}])),
    ("region-expected", _change(_TABLE, globalTableWitness={"regionName": "eu-west-1"})),
    ("names-given", _change(_QUEUE, name="us-east-1-processing-dlq-0a1b2c3")),
    ("names-given", _change(_QUEUE, name="us-east-1-x")),
    ("names-given", _change(_QUEUE, name=f"{PROJECT}-dev-processing")),
    ("names-given", _change(_BUCKET_SETTING.format(""), bucket=None)),
    ("names-given", _change(_ROLE_POLICY, name=None)),
    ("nothing-billed-by-the-hour", _add("aws:ec2/natGateway:NatGateway")),
    (
        "pollers-provisioned-as-configured",
        _change(
            "aws:lambda/eventSourceMapping:EventSourceMapping", provisionedPollerConfig={"maximumPollers": 9}
        ),
    ),
    ("tables-billed-by-use", _change(_TABLE, billingMode="PROVISIONED")),
)
"""What each rule must catch, planted one by one into a stack that keeps them all."""
