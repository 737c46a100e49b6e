"""The one metric of our own: how many alerts are PARKED, which an alarm watches.

It is a log line in CloudWatch's embedded metric format, so it costs no call and needs no permission.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import sys

import msgspec

from topology.metrics import NAMESPACE, PARKED_ALERTS, STACK_DIMENSION


def put_parked(count: int, *, stack: str, at_ms: int) -> None:
    """Write the metric at `at_ms` (epoch milliseconds) as one line on standard output."""
    line = {
        "_aws": {
            "Timestamp": at_ms,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [[STACK_DIMENSION]],
                    "Metrics": [{"Name": PARKED_ALERTS, "Unit": "Count"}],
                }
            ],
        },
        STACK_DIMENSION: stack,
        PARKED_ALERTS: count,
    }
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()
