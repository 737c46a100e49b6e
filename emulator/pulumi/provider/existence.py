"""Whether a resource that was made still exists on the embedded AWS.

The engine passes over what is gone when it deletes, and the plugin's refresh looks here for what somebody
has deleted by hand.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

from botocore.exceptions import ClientError

from clients.aws import is_absent
from emulator.pulumi.provider.resource import Existing, ResourceContext

ID: Final = "id"

_API: Final = {"restApiId": "restApi"}
_BUCKET: Final = {"Bucket": ID}
_METHOD: Final = {**_API, "resourceId": "resourceId", "httpMethod": "httpMethod"}

_LOOKS: Final[Mapping[str, tuple[str, str, Mapping[str, Any]]]] = {
    "aws:apigateway/apiKey:ApiKey": ("apigateway", "get_api_key", {"apiKey": ID}),
    "aws:apigateway/deployment:Deployment": ("apigateway", "get_deployment", {**_API, "deploymentId": ID}),
    "aws:apigateway/integration:Integration": ("apigateway", "get_integration", _METHOD),
    "aws:apigateway/method:Method": ("apigateway", "get_method", _METHOD),
    "aws:apigateway/resource:Resource": ("apigateway", "get_resource", {**_API, "resourceId": ID}),
    "aws:apigateway/restApi:RestApi": ("apigateway", "get_rest_api", {"restApiId": ID}),
    "aws:apigateway/stage:Stage": ("apigateway", "get_stage", {**_API, "stageName": "stageName"}),
    "aws:apigateway/usagePlan:UsagePlan": ("apigateway", "get_usage_plan", {"usagePlanId": ID}),
    "aws:backup/plan:Plan": ("backup", "get_backup_plan", {"BackupPlanId": ID}),
    "aws:backup/vault:Vault": ("backup", "describe_backup_vault", {"BackupVaultName": ID}),
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": (
        "backup",
        "describe_backup_vault",
        {"BackupVaultName": ID},
    ),
    "aws:cloudwatch/dashboard:Dashboard": ("cloudwatch", "get_dashboard", {"DashboardName": ID}),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "describe_log_groups", {"logGroupNamePrefix": ID}),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "describe_alarms", {"AlarmNames": [ID]}),
    "aws:dynamodb/table:Table": ("dynamodb", "describe_table", {"TableName": ID}),
    "aws:iam/role:Role": ("iam", "get_role", {"RoleName": ID}),
    "aws:iam/rolePolicy:RolePolicy": ("iam", "get_role_policy", {"RoleName": "role", "PolicyName": "name"}),
    "aws:lambda/alias:Alias": ("lambda", "get_alias", {"FunctionName": "functionName", "Name": "name"}),
    "aws:lambda/eventSourceMapping:EventSourceMapping": (
        "lambda",
        "get_event_source_mapping",
        {"UUID": ID},
    ),
    "aws:lambda/function:Function": ("lambda", "get_function_configuration", {"FunctionName": ID}),
    "aws:route53/healthCheck:HealthCheck": ("route53", "get_health_check", {"HealthCheckId": ID}),
    "aws:s3/bucket:Bucket": ("s3", "head_bucket", _BUCKET),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        "s3",
        "get_bucket_lifecycle_configuration",
        _BUCKET,
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": (
        "s3",
        "get_object_lock_configuration",
        _BUCKET,
    ),
    "aws:s3/bucketPolicy:BucketPolicy": ("s3", "get_bucket_policy", _BUCKET),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": ("s3", "get_public_access_block", _BUCKET),
    "aws:s3/bucketVersioning:BucketVersioning": ("s3", "get_bucket_versioning", _BUCKET),
    "aws:s3/bucketObjectv2:BucketObjectv2": ("s3", "head_object", {"Bucket": "bucket", "Key": "key"}),
    "aws:scheduler/schedule:Schedule": ("scheduler", "get_schedule", {"Name": "name"}),
    "aws:secretsmanager/secret:Secret": ("secretsmanager", "describe_secret", {"SecretId": ID}),
    "aws:sfn/stateMachine:StateMachine": (
        "stepfunctions",
        "describe_state_machine",
        {"stateMachineArn": ID},
    ),
    "aws:sns/topic:Topic": ("sns", "get_topic_attributes", {"TopicArn": ID}),
    "aws:sns/topicSubscription:TopicSubscription": (
        "sns",
        "get_subscription_attributes",
        {"SubscriptionArn": ID},
    ),
    "aws:sqs/queue:Queue": ("sqs", "get_queue_attributes", {"QueueUrl": ID}),
}
"""By type: the service, the operation that finds it, and the operation's parameters, each from an argument
of the resource or from its id."""

_SET: Final[Mapping[str, tuple[str, ...]]] = {
    "aws:backup/vaultLockConfiguration:VaultLockConfiguration": ("Locked",),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": ("ObjectLockConfiguration", "Rule"),
    "aws:s3/bucketVersioning:BucketVersioning": ("Status",),
}
"""The member of the answer that says that a setting is there, where what it is set on answers either way.

The real provider reads a lock that is gone as one without days, and replaces it; here it is created again.
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/backup/vault_lock_configuration.go
"""

LOOKED_FOR: Final = frozenset(_LOOKS)
"""The types that AWS is asked about; the others are taken for what was recorded of them."""


def exists(context: ResourceContext, type_: str, existing: Existing) -> bool:
    """Ask AWS, by one call, for a resource of a type in `LOOKED_FOR`; true for those of other types.

    Raises:
        ClientError: AWS refused for another reason.
    """
    if type_ not in LOOKED_FOR:
        return True
    service, operation, parameters = _LOOKS[type_]
    values = {**existing.inputs, ID: existing.id}
    asked = {
        name: [values[of] for of in source] if isinstance(source, list) else values[source]
        for name, source in parameters.items()
    }
    try:
        answer = getattr(context.client(service), operation)(**asked)
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    if type_ in _SET:
        return bool(reduce(lambda found, name: found.get(name, {}), _SET[type_], answer))
    lists = [value for name, value in answer.items() if name != "ResponseMetadata"]
    return not lists or any(lists)
