"""What a trial may cost at most on AWS, by the program's own resources and the one table of prices."""

from typing import Final

from costs.alerts import PER
from costs.estimate import Estimate
from topology import prices
from topology.prices import HOURS_PER_MONTH

_KEPT: Final = frozenset({"Alarms", "Health checks", "Keys", "Secrets"})
"""Groups of what is there. AWS bills most by the hour; the ceiling takes a whole month, so that no rule on
begun months can break it."""

ALERTS: Final = 10
"""The trial posts two; each may be retried."""

_GB: Final = (prices.BACKUP_STORED, prices.DYNAMODB_EXPORT, prices.DYNAMODB_STORED, prices.S3_STORED)
"""A gigabyte of each: of a table with two rows, AWS bills less, but bytes are not known before."""


def ceiling_usd(estimate: Estimate) -> float:
    """Dollars for one trial, by the estimate of its stack."""
    kept = sum(line.usd for line in estimate.fixed.lines if line.group in _KEPT)
    hour = sum(line.usd for line in estimate.fixed.lines if line.group not in _KEPT) / HOURS_PER_MONTH
    return kept + hour + estimate.alerts.usd * ALERTS / PER + sum(price.each for price in _GB)
