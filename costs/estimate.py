"""The estimate of a stack: alerts, month, the runbook's pipeline beside it, and what all of it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from costs.alerts import ANSWER_TOKENS, PER, model_lines, per_thousand_alerts
from costs.cost import Cost, cost_of
from costs.fixed import a_month
from costs.program import resources_of
from costs.runbook import ANALYSIS_PRICE, HIT_RATE, runbook_month, runbook_per_thousand
from costs.usage import Measurement
from emulator.pulumi.project import stack_config
from topology import prices
from topology.prices import HOURS_PER_MONTH, model_price

PER_HOUR_MAX: Final = 1_000_000
"""An alert each 4 ms, far beyond what Slack or people take."""

_MEASURED: Final = "Requests, capacity units and log bytes are counted as AWS counts them."
_DURATIONS: Final = (
    f"Durations are that machine's, without cold starts, and an analysis of {ANSWER_TOKENS} tokens is "
    "assumed: measure a deployed stack before you rely on either."
)
_RUNBOOK: Final = (
    "The runbook's pipeline has one region and tells no repeats apart: it costs less where it promises less. "
    "What the runbook does not say of itself is assumed."
)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Costs of a stack and of the runbook's pipeline: of 1,000 alerts, and of a month before the first."""

    stack: str
    per_hour: float
    regions: tuple[str, ...]
    model: str
    measurement: Measurement
    alerts: Cost
    fixed: Cost
    runbook_alerts: Cost
    runbook_fixed: Cost
    runbook_model: Cost
    """The runbook's analyses at this stack's tokens and model instead of the $0.03 that it says."""

    @property
    def month(self) -> Cost:
        """A month at the rate."""
        return self.fixed + self.alerts.times(self._thousands)

    @property
    def runbook_month(self) -> Cost:
        """Such a month of the runbook's pipeline."""
        return self.runbook_fixed + self.runbook_alerts.times(self._thousands)

    @property
    def _thousands(self) -> float:
        return self.per_hour * HOURS_PER_MONTH / PER

    @property
    def notes(self) -> Sequence[str]:
        """What the figures rest on."""
        measured, usage = self.measurement, self.measurement.usage
        share = usage.model_calls / usage.alerts
        by = f"Measured {measured.measured_on} by `{measured.command}` on {measured.machine}"
        its_own = (
            f"Its ${ANALYSIS_PRICE.usd:g} an analysis is its own word: at this stack's tokens and model its "
            f"analyses would cost ${self.runbook_model.usd:,.2f} per 1,000 alerts."
        )
        priced = f"Prices read {prices.READ_ON}, of {' and '.join(prices.REGIONS)}, on demand"
        return (
            f"{by}: {usage.alerts} alerts, {share:.0%} of them with a call of the model; {measured.mix}.",
            f"{_MEASURED} {_DURATIONS}",
            f"{priced}, without free tiers, discounts and taxes; {second_hand()}.",
            f"{_RUNBOOK} {its_own}",
        )

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "stack": self.stack,
            "per_hour": self.per_hour,
            "regions": self.regions,
            "model": self.model,
            "usd_per_1000_alerts": self.alerts.usd,
            "usd_fixed_a_month": self.fixed.usd,
            "usd_a_month": self.month.usd,
            "per_1000_alerts": _lines(self.alerts),
            "fixed_a_month": _lines(self.fixed),
            "runbook": {
                "usd_analyses_at_this_model": self.runbook_model.usd,
                "usd_per_1000_alerts": self.runbook_alerts.usd,
                "usd_fixed_a_month": self.runbook_fixed.usd,
                "usd_a_month": self.runbook_month.usd,
                "per_1000_alerts": _lines(self.runbook_alerts),
                "fixed_a_month": _lines(self.runbook_fixed),
            },
            "notes": self.notes,
        }


def estimate_of(directory: Path, stack: str, *, per_hour: float, measurement: Measurement) -> Estimate:
    """Estimate a stack of the project in `directory` at so many alerts an hour.

    Raises:
        ConfigError: the stack's configuration is not valid.
        DeployError: its program fails.
        UnpricedError: the table of prices lacks a region or the model.
        UncountableError: the program has what `costs.fixed` does not know.
    """
    config, usage = stack_config(directory, stack), measurement.usage
    alerts = per_thousand_alerts(usage, config)
    return Estimate(
        stack=stack,
        per_hour=per_hour,
        regions=config.regions,
        model=config.claude_model,
        measurement=measurement,
        alerts=alerts,
        fixed=a_month(resources_of(directory, stack), usage, config),
        runbook_alerts=runbook_per_thousand(usage, config),
        runbook_fixed=runbook_month(),
        runbook_model=cost_of(
            model_lines(usage, model_price(config.claude_model), calls=(1 - HIT_RATE) * PER)
        ),
    )


def second_hand() -> str:
    """How many rows of the table were read from who charges them, and how many from who quotes that."""
    rows = [value for value in vars(prices).values() if isinstance(value, prices.Price)]
    first = sum(row.source.first_hand for row in rows)
    return f"{first} of {len(rows)} first-hand, the others from public quotations of AWS's Price List"


def _lines(cost: Cost) -> list[dict[str, Any]]:
    return [
        {
            "group": line.group,
            "name": line.name,
            "quantity": line.quantity,
            "unit": line.price.unit,
            "usd_each": line.price.each,
            "usd": line.usd,
            "known": str(line.known),
            "source": line.price.source.url,
            "read": line.price.source.hand,
            "price_of": line.price.source.of,
        }
        for line in cost.lines
    ]
