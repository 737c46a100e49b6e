"""The metrics of our own that Recovery writes each minute, and alarms watch.

They are a log line in CloudWatch's embedded metric format, so they cost no call and need no permission.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import sys

import msgspec

from topology.metrics import NAMESPACE, OLDEST_EXPIRED, PARKED_ALERTS, STACK_DIMENSION


def put_gauges(*, parked: int, oldest_expired_s: int, stack: str, at_ms: int) -> None:
    """Write how many alerts are PARKED and the age of the oldest expired row, as one line on standard output.

    `at_ms`: epoch milliseconds.
    """
    line = {
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [[STACK_DIMENSION]],
                    "Metrics": [
                        {"Name": PARKED_ALERTS, "Unit": "Count"},
                        {"Name": OLDEST_EXPIRED, "Unit": "Seconds"},
                    ],
                }
            ],
        },
        STACK_DIMENSION: stack,
        PARKED_ALERTS: parked,
        OLDEST_EXPIRED: oldest_expired_s,
    }
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()
