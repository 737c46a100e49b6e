"""The state machines of the backups, in the Amazon States Language with JSONata; pure data, for a component.

EventBridge Scheduler can call any AWS API with its own time in the arguments, but it cannot compute: what
needs a window of time, or several calls, takes a state machine between.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from collections.abc import Mapping
from typing import Any, Final

from topology.backups import EXPORTS, INCREMENTAL_WINDOW_S, LATEST, package_key, stack_key
from topology.functions import FUNCTIONS
from topology.metrics import EXPORT_AGE, NAMESPACE, STACK_DIMENSION

LOOK_EVERY_S: Final = 30
EXPORT_WITHIN_S: Final = 3 * 3_600
"""How long an export of an hour's changes may take, tries included."""

COPIES_WITHIN_S: Final = 900

LATEST_KEYS: Final = (stack_key(LATEST), *(package_key(LATEST, spec) for spec in FUNCTIONS))
"""What is kept of each day under its date."""

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


def incremental_export(*, table_arn: str, bucket: str, stack: str) -> Mapping[str, Any]:
    """Exports the clock hour before `$.time` (ISO 8601), waits, and writes how old the export's end is.

    The windows of two runs meet, so no change falls between them; the client token makes a run that Scheduler
    starts twice one export. No metric without a COMPLETED export: the alarm takes silence for a fault.
    """
    window_ms = INCREMENTAL_WINDOW_S * 1_000
    return {
        "Comment": "Exports the last whole hour of the ledger's changes",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": EXPORT_WITHIN_S,
        "StartAt": "Window",
        "States": {
            "Window": {
                "Type": "Pass",
                "Assign": {
                    "date": "{% $states.input.time %}",
                    "to_ms": f"{{% $floor($toMillis($states.input.time) / {window_ms}) * {window_ms} %}}",
                },
                "Next": "Export",
            },
            "Export": _task(
                "dynamodb:exportTableToPointInTime",
                {
                    "TableArn": table_arn,
                    "S3Bucket": bucket,
                    "S3Prefix": f"{{% '{EXPORTS}/' & $date %}}",
                    "ExportFormat": "DYNAMODB_JSON",
                    "ExportType": "INCREMENTAL_EXPORT",
                    "IncrementalExportSpecification": {
                        "ExportFromTime": f"{{% $fromMillis($to_ms - {window_ms}) %}}",
                        "ExportToTime": "{% $fromMillis($to_ms) %}",
                        "ExportViewType": "NEW_AND_OLD_IMAGES",
                    },
                    "ClientToken": "{% 'incremental-' & $date %}",
                },
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
            "Measure": _task(
                "cloudwatch:putMetricData",
                {
                    "Namespace": NAMESPACE,
                    "MetricData": [
                        {
                            "MetricName": EXPORT_AGE,
                            "Dimensions": [{"Name": STACK_DIMENSION, "Value": stack}],
                            "Value": "{% ($millis() - $to_ms) / 1000 %}",
                            "Unit": "Seconds",
                        }
                    ],
                },
                End=True,
            ),
            "Failed": {
                "Type": "Fail",
                "Error": "ExportFailed",
                "Cause": "{% 'the export ended ' & $states.input & ': ' & $export_arn %}",
            },
        },
    }


def daily_copies(*, bucket: str) -> Mapping[str, Any]:
    """Copies what the last deployment left under `latest` to the same keys under the date `$.time`."""
    return {
        "Comment": "Keeps the day's configuration and packages",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": COPIES_WITHIN_S,
        "StartAt": "Date",
        "States": {
            "Date": {"Type": "Pass", "Assign": {"date": "{% $states.input.time %}"}, "Next": "Copies"},
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
                "End": True,
            },
        },
    }


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
