"""Encryption at rest and on the way, and secrets that stay out of the state."""

from collections.abc import Iterator

from policy.rule import Resource, Stack, listed, rule, statements
from topology.outputs import SECRET_OF_TYPE

_BUCKET = "aws:s3/bucket:Bucket"


@rule("aws:dynamodb/table:Table")
def tables_encrypted_by_kms(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A table is encrypted under a key in KMS, whose every use is logged."""
    if not (resource.inputs.get("serverSideEncryption") or {}).get("enabled"):
        yield "serverSideEncryption is not enabled; enable it"


@rule("aws:sqs/queue:Queue", controls=("SQS.1",))
def queues_encrypted(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A queue is encrypted at rest."""
    if not (resource.inputs.get("sqsManagedSseEnabled") or resource.inputs.get("kmsMasterKeyId")):
        yield "neither sqsManagedSseEnabled nor kmsMasterKeyId is set; set one"


@rule("aws:sns/topic:Topic", controls=("SNS.1",))
def topics_encrypted(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A topic is encrypted at rest under a key in KMS."""
    if not resource.inputs.get("kmsMasterKeyId"):
        yield "kmsMasterKeyId is not set; give the topic a key"


@rule("aws:kms/key:Key", controls=("KMS.4",), cis="3.6")
def keys_rotate(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A key is rotated by KMS each year."""
    if not resource.inputs.get("enableKeyRotation"):
        yield "enableKeyRotation is off; turn it on"


@rule(_BUCKET, whole_stack=True)
def buckets_encrypted(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket says how it encrypts, so that a change of AWS's default changes nothing."""
    type_ = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    if not any(
        (rule.get("applyServerSideEncryptionByDefault") or {}).get("sseAlgorithm")
        for setting in stack.settings_of(resource, type_)
        for rule in setting.inputs["rules"]
    ):
        yield "no BucketServerSideEncryptionConfiguration names an algorithm for it; add one"


@rule(_BUCKET, controls=("S3.5",), cis="2.1.1", whole_stack=True)
def buckets_take_tls_only(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket refuses everybody who comes without TLS."""
    name = resource.inputs["bucket"]
    everything = {f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"}
    if not any(
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and listed(statement["Action"]) == ["s3:*"]
        and everything <= set(listed(statement["Resource"]))
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for setting in stack.settings_of(resource, "aws:s3/bucketPolicy:BucketPolicy")
        for statement in statements(setting.inputs)
    ):
        yield "no BucketPolicy denies it all where aws:SecureTransport is false; add the statement"


@rule("aws:apigateway/domainName:DomainName")
def domains_want_tls_1_2(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A custom domain refuses TLS before 1.2."""
    if resource.inputs.get("securityPolicy") in (None, "TLS_1_0"):
        yield f"securityPolicy is {resource.inputs.get('securityPolicy')}; set TLS_1_2"


@rule("aws:sns/topicSubscription:TopicSubscription")
def alarms_not_sent_in_the_clear(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A topic posts to nobody over plain HTTP."""
    if resource.inputs["protocol"] == "http":
        yield "protocol is http; subscribe an https endpoint"


@rule(*SECRET_OF_TYPE)
def secret_outputs_encrypted(resource: Resource, _stack: Stack) -> Iterator[str]:
    """An output that carries a secret is encrypted in Pulumi's state."""
    for output in sorted(SECRET_OF_TYPE[resource.type] - set(resource.secret_outputs)):
        yield f"{output} is no additionalSecretOutput; name it in additional_secret_outputs"


@rule()
def secrets_put_by_people(resource: Resource, _stack: Stack) -> Iterator[str]:
    """The program makes secrets without values: operators put those, so that no state ever holds one."""
    if resource.type == "aws:secretsmanager/secretVersion:SecretVersion":
        yield "it puts a secret's value into the state; have an operator put it"
