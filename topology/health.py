"""From where on somebody has to look at a stack: the thresholds of its alarms and of `responder health`.

What the operations runbook says is kept as it says it.
"""

from collections.abc import Mapping
from typing import Final

from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION, FunctionSpec

ERRORS_PERIOD_S: Final = 300
ERRORS_OVER: Final[Mapping[FunctionSpec, int]] = {RECEPTION: 10, ANALYSIS: 5, DISTRIBUTION: 5}
"""The runbook's: more failed invocations than so many within the period. Recovery's silence is watched."""

DAY_S: Final = 86_400
"""What the morning checks look back on."""

STUCK_AFTER_S: Final = 180
"""An open alert that is due for so long was passed over by two runs of Recovery, which come each minute."""

EXPIRED_MAX_S: Final = 2 * DAY_S
"""DynamoDB deletes expired rows within a few days, Recovery 200 a minute: an older one was passed over.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html"""

REPLICATION_MAX_S: Final = 5
"""A global table replicates in about a second; a marker that takes longer is a fault of replication.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html"""
