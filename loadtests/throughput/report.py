"""What a tuning run found, as people and scripts get it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from loadtests.throughput.knee import middle_of, spread_of, text_of
from loadtests.throughput.measures import Slo
from loadtests.throughput.saturation import Saturation
from loadtests.throughput.stack_probe import ProbeResult
from loadtests.throughput.sweep import SweepRow
from loadtests.throughput.tuning import Search
from topology import prices

PROBE_HEADS: Final = (
    "offered/s", "served/s", "errors %", "CRITICAL p95 s", "others p95 s", "growth %", "alone %",
    "analysed %", "missed",
)  # fmt: skip
SWEEP_HEADS: Final = ("setting", "CRITICAL p95 s", "others p95 s", "$ a month", "missed")
NUMBER_HEADS: Final = (*PROBE_HEADS[:-1], *SWEEP_HEADS[1:-1])


@dataclass(frozen=True, kw_only=True)
class TuningReport:
    """The content of the JSON report. `model`: how long the stand-in for Claude took.

    `searches`: one a run; `sweep` was made at `sweep_per_s`, None where there was none.
    """

    stack: str
    region: str
    began_at: str
    slo: Slo
    critical_percent: float
    model: str
    searches: tuple[Search, ...]
    sweep_per_s: float | None
    sweep: tuple[SweepRow, ...]

    @property
    def knee_per_s(self) -> float | None:
        """The knee, the middle one of several runs; None where one settled nothing."""
        return middle_of([search.knee for search in self.searches])

    @property
    def saturation(self) -> Saturation | None:
        """What saturates, by the first run."""
        return self.searches[0].saturation

    @property
    def knee(self) -> str:
        """The knee, or what is known of it, with its spread over several runs."""
        knees = [search.knee for search in self.searches]
        spread = spread_of(knees)
        if len(knees) == 1 or spread is None:
            return "; ".join(map(text_of, knees))
        return f"{self.knee_per_s:.2f} alerts a second, spread {spread:.0%} over {len(knees)} runs"

    @property
    def verdict(self) -> str:
        """The knee and what it is made of, in a line."""
        saturation = self.saturation
        return f"knee {self.knee}; " + (
            f"saturated: {saturation.resource}" if saturation else "nothing failed"
        )

    @property
    def notes(self) -> Sequence[str]:
        """What has to be known to read the figures."""
        priced = f"Prices of {prices.READ_ON} in {' and '.join(prices.REGIONS)}"
        return (
            f"The model takes {self.model}; {self.critical_percent:g} % of the alerts are CRITICAL.",
            "Times and rates are of the machine that embeds AWS: they rank settings, and predict no AWS.",
            f"{priced}, for Lambda, SQS and pollers of one region at the sweep's rate, all month long.",
            "API, tables, model and logs cost the same with each setting.",
            f"Thresholds: {', '.join(map(str, self.slo))}.",
        )

    def probe_rows(self) -> Iterator[tuple[str, ...]]:
        """The probes of each run in their order, as text under `PROBE_HEADS`."""
        for search in self.searches:
            yield from map(_probe_row, search.probes)

    def sweep_rows(self) -> Iterator[tuple[str, ...]]:
        """The sweep as text under `SWEEP_HEADS`."""
        for row in self.sweep:
            times = (number(row.critical_p95_s), number(row.ordinary_p95_s))
            yield row.variant, *times, f"{row.usd_per_month:,.2f}", "; ".join(row.breaches)


def number(value: float | None) -> str:
    """A measure as people read it; one that is missing is unknown."""
    return "unknown" if value is None else f"{value:.2f}"


def _probe_row(probe: ProbeResult) -> tuple[str, ...]:
    measures = probe.measures
    values = (
        measures.error_percent, measures.critical_p95_s, measures.ordinary_p95_s, measures.growth_percent,
        measures.alone_percent, measures.analysed_percent,
    )  # fmt: skip
    rates = (f"{probe.per_s:.2f}", f"{probe.served_per_s:.2f}")
    return *rates, *map(number, values), "; ".join(probe.breaches)
