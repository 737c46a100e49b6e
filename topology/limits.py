"""AWS's limits, each with its source. Checked against the documentation in November 2026."""

from typing import Final

LAMBDA_MEMORY_MIN_MB: Final = 128
LAMBDA_MEMORY_MAX_MB: Final = 10_240
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

LAMBDA_VCPU_MB: Final = 1_769
"""The memory that comes with one vCPU; the processor's share is in proportion to it (as above)."""

LAMBDA_INIT_TIMEOUT_S: Final = 10
"""How long INIT may take before Lambda ends it and repeats it in the first invocation.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""

LAMBDA_RESPONSE_MAX_BYTES: Final = 6 * 1024 * 1024
"""Of an answer that is waited for. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

LAMBDA_ENVIRONMENT_MAX_BYTES: Final = 4 * 1024
"""Of a function's variables, names and values, in all.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

LAMBDA_TIMEOUT_MAX_S: Final = 900
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""

LAMBDA_EVENT_SOURCE_CONCURRENCY_MIN: Final = 2
LAMBDA_EVENT_SOURCE_CONCURRENCY_MAX: Final = 1_000
"""MaximumConcurrency of an SQS event source mapping.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

LAMBDA_POLLERS_MIN: Final = 2
LAMBDA_POLLERS_MIN_MAX: Final = 200
LAMBDA_POLLERS_MAX: Final = 2_000
"""Event pollers of an SQS mapping in provisioned mode: the least of both bounds, the most of the minimum and
of the maximum. The mode excludes MaximumConcurrency.
https://docs.aws.amazon.com/lambda/latest/api/API_ProvisionedPollerConfig.html"""

LAMBDA_POLLER_CONCURRENCY: Final = 10
"""Concurrent invocations of one such poller, which also makes at most 10 polls a second.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html"""

LAMBDA_SQS_CONCURRENCY_MAX: Final = 1_250
"""Invocations that an SQS mapping may have under way if nothing limits it (as above)."""

SQS_VISIBILITY_FACTOR: Final = 6
"""Visibility timeout at least six times the function's timeout.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

SQS_VISIBILITY_MAX_S: Final = 43_200
SQS_RETENTION_MAX_S: Final = 1_209_600
SQS_DELAY_MAX_S: Final = 900
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""

SQS_BATCH_MAX: Final = 10
"""Records per batch without a batching window; also entries per SendMessageBatch (as above)."""

DYNAMODB_WRITE_UNIT_BYTES: Final = 1_024
DYNAMODB_READ_UNIT_BYTES: Final = 4_096
"""Of an item, begun ones counted; a read that is not strongly consistent is half a unit.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""

DYNAMODB_BATCH_GET_MAX: Final = 100
"""Keys of one BatchGetItem, which may leave some unread however often it is asked.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""

DYNAMODB_BATCH_WRITE_MAX: Final = 25
"""Puts of one BatchWriteItem, which may leave some undone as well.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""

SNS_MESSAGE_MAX_BYTES: Final = 262_144
SNS_SUBJECT_MAX_CHARS: Final = 99
"""Of a message: less than 100 characters without line breaks and control characters.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

API_INTEGRATION_TIMEOUT_MAX_S: Final = 29
"""Of a REST API, unless raised on request.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""

API_THROTTLE_RATE_MAX: Final = 10_000
API_THROTTLE_BURST_MAX: Final = 5_000
"""Requests a second and burst of an account in a region (as above)."""

IAM_ROLE_NAME_CHARS: Final = 64
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

LOG_RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip
"""What PutRetentionPolicy allows.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
