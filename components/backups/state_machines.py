"""The state machines of the backups, in the Amazon States Language with JSONata; pure data, for a component.

EventBridge Scheduler can call any AWS API with its own time in the arguments, but it cannot compute: what
needs a window of time, or several calls, takes a state machine between.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from topology.backups import EXPORTS, INCREMENTAL_EVERY_S, LATEST, package_key, stack_key
from topology.functions import FUNCTIONS
from topology.metrics import BACKUP_AGE, BACKUP_DIMENSION, NAMESPACE, STACK_DIMENSION

FULL: Final = "full-export"
INCREMENTAL: Final = "incremental-export"
COPIES: Final = "daily-copies"
"""The backups, by which `BACKUP_AGE` and its alarms go."""

LOOK_EVERY_S: Final = 30
EXPORT_WITHIN_S: Final = 3 * 3_600
"""How long an export may take, tries included."""

COPIES_WITHIN_S: Final = 900

LATEST_KEYS: Final = (stack_key(LATEST), *(package_key(LATEST, spec) for spec in FUNCTIONS))
"""What is kept of each day under its date."""

_PREFIX: Final = f"{{% '{EXPORTS}/' & $date %}}"
_Text = TypeVar("_Text")

_HOPELESS: Final = {
    "ErrorEquals": [
        "DynamoDb.InvalidExportTimeException",
        "DynamoDb.PointInTimeRecoveryUnavailableException",
        "DynamoDb.ResourceNotFoundException",
        "DynamoDb.TableNotFoundException",
    ],
    "MaxAttempts": 0,
}
_AGAIN: Final = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 30, "BackoffRate": 2, "MaxAttempts": 5}


def full_export_request(
    *, table_arn: _Text, bucket: _Text, prefix: str, token: str
) -> Mapping[str, _Text | str]:
    """What Scheduler asks DynamoDB for by itself each day, and its watch asks for again."""
    return {
        "TableArn": table_arn,
        "S3Bucket": bucket,
        "S3Prefix": prefix,
        "ExportFormat": "DYNAMODB_JSON",
        "ExportType": "FULL_EXPORT",
        "ClientToken": token,
    }


def full_export_watch(*, table_arn: str, bucket: str, stack: str) -> Mapping[str, Any]:
    """Waits for the full export of `$.time` (ISO 8601), and writes how long it took.

    Scheduler begins the export, and nobody would see it fail. The watch asks for it again, with the same
    parameters and the same client token: DynamoDB answers with the export that is under way, or begins it if
    Scheduler's call did not come through.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    return _export(
        FULL,
        stack=stack,
        to_ms="{% $toMillis($states.input.time) %}",
        request=full_export_request(table_arn=table_arn, bucket=bucket, prefix=_PREFIX, token=_token(FULL)),
    )


def incremental_export(*, table_arn: str, bucket: str, stack: str, hours: int) -> Mapping[str, Any]:
    """Exports the last `hours` whole hours before `$.time`, waits, and writes how old the export's end is.

    The windows of the hourly runs overlap, so what a run that failed would have held is in the next one. The
    client token makes a run that Scheduler starts twice one export.
    """
    every_ms, window_ms = INCREMENTAL_EVERY_S * 1_000, hours * 3_600_000
    return _export(
        INCREMENTAL,
        stack=stack,
        to_ms=f"{{% $floor($toMillis($states.input.time) / {every_ms}) * {every_ms} %}}",
        request={
            "TableArn": table_arn,
            "S3Bucket": bucket,
            "S3Prefix": _PREFIX,
            "ExportFormat": "DYNAMODB_JSON",
            "ExportType": "INCREMENTAL_EXPORT",
            "IncrementalExportSpecification": {
                "ExportFromTime": f"{{% $fromMillis($to_ms - {window_ms}) %}}",
                "ExportToTime": "{% $fromMillis($to_ms) %}",
                "ExportViewType": "NEW_AND_OLD_IMAGES",
            },
            "ClientToken": _token(INCREMENTAL),
        },
    )


def daily_copies(*, bucket: str, stack: str) -> Mapping[str, Any]:
    """Copies what the last deployment left under `latest` to the same keys under the date `$.time`."""
    return {
        "Comment": "Keeps the day's configuration and packages",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": COPIES_WITHIN_S,
        "StartAt": "Date",
        "States": {
            "Date": {
                "Type": "Pass",
                "Assign": {
                    "date": "{% $states.input.time %}",
                    "to_ms": "{% $toMillis($states.input.time) %}",
                },
                "Next": "Copies",
            },
            "Copies": {
                "Type": "Map",
                "Items": list(LATEST_KEYS),
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Copy",
                    "States": {
                        "Copy": _task(
                            "s3:copyObject",
                            {
                                "Bucket": bucket,
                                "CopySource": f"{{% '{bucket}/' & $states.input %}}",
                                "Key": f"{{% $replace($states.input, '/{LATEST}/', '/' & $date & '/') %}}",
                            },
                            End=True,
                        )
                    },
                },
                "Next": "Measure",
            },
            "Measure": _measure(COPIES, stack),
        },
    }


def _export(backup: str, *, stack: str, to_ms: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """An export is asked for, waited for, and measured by the time that it shows, `to_ms`.

    Without a COMPLETED export nothing is measured: the alarm takes silence for a fault.
    """
    return {
        "Comment": f"Makes the ledger's {backup} and waits for it",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": EXPORT_WITHIN_S,
        "StartAt": "Window",
        "States": {
            "Window": {
                "Type": "Pass",
                "Assign": {"date": "{% $states.input.time %}", "to_ms": to_ms},
                "Next": "Export",
            },
            "Export": _task(
                "dynamodb:exportTableToPointInTime",
                request,
                retry=[_HOPELESS, _AGAIN],
                Assign={"export_arn": "{% $states.result.ExportDescription.ExportArn %}"},
                Next="Look",
            ),
            "Look": _task(
                "dynamodb:describeExport",
                {"ExportArn": "{% $export_arn %}"},
                Output="{% $states.result.ExportDescription.ExportStatus %}",
                Next="Finished",
            ),
            "Finished": {
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input = 'COMPLETED' %}", "Next": "Measure"},
                    {"Condition": "{% $states.input = 'IN_PROGRESS' %}", "Next": "Wait"},
                ],
                "Default": "Failed",
            },
            "Wait": {"Type": "Wait", "Seconds": LOOK_EVERY_S, "Next": "Look"},
            "Measure": _measure(backup, stack),
            "Failed": {
                "Type": "Fail",
                "Error": "ExportFailed",
                "Cause": "{% 'the export ended ' & $states.input & ': ' & $export_arn %}",
            },
        },
    }


def _token(backup: str) -> str:
    return f"{{% '{backup}-' & $date %}}"


def _measure(backup: str, stack: str) -> Mapping[str, Any]:
    """The last state: writes the age of what is in the backup."""
    return _task(
        "cloudwatch:putMetricData",
        {
            "Namespace": NAMESPACE,
            "MetricData": [
                {
                    "MetricName": BACKUP_AGE,
                    "Dimensions": [
                        {"Name": STACK_DIMENSION, "Value": stack},
                        {"Name": BACKUP_DIMENSION, "Value": backup},
                    ],
                    "Value": "{% ($millis() - $to_ms) / 1000 %}",
                    "Unit": "Seconds",
                }
            ],
        },
        End=True,
    )


def _task(
    action: str, arguments: Mapping[str, Any], *, retry: list[Mapping[str, Any]] | None = None, **state: Any
) -> Mapping[str, Any]:
    """A state that calls one AWS API, by its SDK name.

    https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    """
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{action}",
        "Arguments": arguments,
        "Retry": retry or [_AGAIN],
        **state,
    }
