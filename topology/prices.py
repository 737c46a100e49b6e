"""What AWS charges for what this stack uses: the one table of prices, with its day and the page of each.

On demand, without free tiers or discounts, and the first tier of each. A model of a stack's whole cost takes
its prices from here too, and belongs beside the sweep of `loadtests.throughput`, which needs what follows.
"""

from typing import Final

READ_ON: Final = "2026-11-29"
REGIONS: Final = ("us-east-1", "us-west-2")
"""The same in both."""

LAMBDA_GB_S: Final = 1.33334e-5
"""A gigabyte-second of an arm64 function. https://aws.amazon.com/lambda/pricing/"""

LAMBDA_REQUEST: Final = 0.20 / 1e6
"""https://aws.amazon.com/lambda/pricing/"""

LAMBDA_SQS_POLLER_HOUR: Final = 0.00925
"""An hour of a provisioned event poller of an SQS queue. Second-hand, from two public repositories: tables
of https://aws.amazon.com/lambda/pricing/ are filled by script and could not be read."""

SQS_REQUEST: Final = 0.40 / 1e6
"""Of a standard queue, for each 64 KB. https://aws.amazon.com/sqs/pricing/"""

HOURS_PER_MONTH: Final = 730.0
"""As AWS's own calculator has it. https://docs.aws.amazon.com/pricing-calculator/latest/userguide/"""

SECONDS_PER_MONTH: Final = HOURS_PER_MONTH * 3_600
