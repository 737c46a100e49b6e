"""What is kept, for how long, and what it takes to lose it."""

from collections.abc import Iterator

from policy.rule import Resource, Stack, rule
from topology.functions import LAMBDA_RUNTIME
from topology.protection import IRREPLACEABLE

_BUCKET, _TABLE, _VAULT = "aws:s3/bucket:Bucket", "aws:dynamodb/table:Table", "aws:backup/vault:Vault"
_DESTROYED_AT_ONCE = {_BUCKET: "forceDestroy", _VAULT: "forceDestroy"}
_ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


@rule(_TABLE, controls=("DynamoDB.2",))
def tables_recover_to_any_second(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A table and each replica of it have point-in-time recovery."""
    if not (resource.inputs.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "pointInTimeRecovery is off; enable it"
    for replica in resource.inputs.get("replicas") or ():
        if not replica.get("pointInTimeRecovery"):
            yield f"the replica in {replica['regionName']} has no pointInTimeRecovery; enable it"


@rule(_TABLE, controls=("DynamoDB.6",))
def tables_refuse_deletion(resource: Resource, stack: Stack) -> Iterator[str]:
    """With `deletionProtection`, a table and each replica of it refuse to be deleted."""
    if not stack.config.deletion_protection:
        return
    if not resource.inputs.get("deletionProtectionEnabled"):
        yield "deletionProtectionEnabled is off; turn it on"
    for replica in resource.inputs.get("replicas") or ():
        if not replica.get("deletionProtectionEnabled"):
            yield f"the replica in {replica['regionName']} has deletionProtectionEnabled off; turn it on"


@rule(*IRREPLACEABLE)
def irreplaceable_protected(resource: Resource, stack: Stack) -> Iterator[str]:
    """With `deletionProtection`, Pulumi deletes nothing that cannot be made again."""
    if stack.config.deletion_protection and not resource.protect:
        yield f"it is not protected, and with it would go {IRREPLACEABLE[resource.type]}; set protect"


@rule(*_DESTROYED_AT_ONCE, "aws:secretsmanager/secret:Secret")
def nothing_destroyed_with_its_content(resource: Resource, stack: Stack) -> Iterator[str]:
    """With `deletionProtection`, a deletion takes no content with it, and a secret can be had back."""
    if not stack.config.deletion_protection:
        return
    if resource.inputs.get(_DESTROYED_AT_ONCE.get(resource.type, "")):
        yield "forceDestroy is on; turn it off"
    if resource.inputs.get("recoveryWindowInDays", 1) == 0:
        yield "recoveryWindowInDays is 0; give it a week at least"


@rule(_BUCKET, controls=("S3.14",), whole_stack=True)
def buckets_versioned(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket keeps what is overwritten or deleted."""
    if not any(
        setting.inputs["versioningConfiguration"].get("status") == "Enabled"
        for setting in stack.settings_of(resource, "aws:s3/bucketVersioning:BucketVersioning")
    ):
        yield "no BucketVersioning enables it; add one"


@rule(_BUCKET, controls=("S3.15",), whole_stack=True)
def buckets_locked(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket locks each version for as long as the configuration says."""
    type_ = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
    wanted = (stack.config.backup_lock.upper(), stack.config.backup_lock_days)
    found = [s.inputs["rule"]["defaultRetention"] for s in stack.settings_of(resource, type_)]
    if [(lock.get("mode"), lock.get("days")) for lock in found] != [wanted]:
        yield f"its BucketObjectLockConfiguration is not {wanted}; set backupLock and backupLockDays on it"


@rule(_BUCKET, controls=("S3.13", "S3.10"), whole_stack=True)
def buckets_expire(resource: Resource, stack: Stack) -> Iterator[str]:
    """A bucket has a lifecycle, so that backups end and old versions go."""
    type_ = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    rules = [rule for setting in stack.settings_of(resource, type_) for rule in setting.inputs["rules"]]
    if not any(rule.get("status") == "Enabled" and rule.get("noncurrentVersionExpiration") for rule in rules):
        yield "no BucketLifecycleConfiguration expires its old versions; add a rule"


@rule(_VAULT, whole_stack=True)
def vaults_locked(resource: Resource, stack: Stack) -> Iterator[str]:
    """A vault's recovery points cannot be deleted for as long as the configuration says."""
    locks = [
        lock.inputs.get("minRetentionDays")
        for lock in stack.resources
        if lock.type == "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
        and lock.inputs["region"] == resource.inputs["region"]
        and lock.inputs["backupVaultName"] == resource.inputs["name"]
    ]
    if locks != [stack.config.backup_lock_days]:
        yield f"its lock is for {locks} days and not {stack.config.backup_lock_days}; set minRetentionDays"


@rule("aws:cloudwatch/logGroup:LogGroup", controls=("CloudWatch.16",))
def logs_kept_as_configured(resource: Resource, stack: Stack) -> Iterator[str]:
    """A log is kept for `logRetentionDays`: no shorter, and not for ever."""
    if resource.inputs.get("retentionInDays") != stack.config.log_retention_days:
        yield f"retentionInDays is {resource.inputs.get('retentionInDays')}; set logRetentionDays"


@rule(_ALARM, controls=("CloudWatch.15", "CloudWatch.17"))
def alarms_tell_somebody(resource: Resource, _stack: Stack) -> Iterator[str]:
    """An alarm has an action, and its actions are on."""
    if not resource.inputs.get("alarmActions") or resource.inputs.get("actionsEnabled") is False:
        yield "it has no alarmActions, or they are off; give it the alarm topic"


@rule("aws:lambda/function:Function", controls=("Lambda.2",))
def functions_run_on_the_one_runtime(resource: Resource, _stack: Stack) -> Iterator[str]:
    """A function runs on the runtime that its package is built and tested for."""
    if resource.inputs.get("runtime") != LAMBDA_RUNTIME:
        yield f"runtime is {resource.inputs.get('runtime')}; set {LAMBDA_RUNTIME}"
