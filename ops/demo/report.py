"""What the demo found: the table a person reads and the JSON a script reads, from the same numbers."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from audit.ledger import LedgerRow
from audit.outcome import Audit
from audit.shown import LEAST_PERCENT, Shown
from clients.receipts import Receipt, write_report
from clients.sender import Tally
from emulator.protocol import SlackMessage
from ops.tables import make_table

_PERCENTILE_STEPS = 100
_REASONS_SHOWN = 4
_REASON_CHARS = 60


@dataclass(frozen=True)
class RegionReport:
    """The figures of one region.

    `accepted`: answered 202 there; `delivered`: messages that left through it; `taken_over`: of those,
    alerts that the other region had accepted.
    """

    region: str
    role: str
    accepted: int
    delivered: int
    taken_over: int


@dataclass(frozen=True)
class DemoReport:
    """The content of `reports/demo.json`. Times are from a local emulator: they rank, they do not predict."""

    passed: bool
    accepted: int
    notified: int
    in_digests: int
    shown_with_analysis: int
    shown_with_analysis_percent: float | None
    not_shown_ids: Mapping[str, str]
    suppressed: int
    parked: int
    by_people: Mapping[str, int]
    unaccounted: int
    duplicates: int
    duplicates_by_cause: Mapping[str, int]
    deploy_s: float
    alert_to_slack_p50_ms: float | None
    alert_to_slack_p95_ms: float | None
    slowest_alert_s: float | None
    total_s: float
    refused: int
    given_up: int
    unaccounted_ids: Mapping[str, str]
    regions: tuple[RegionReport, ...]

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        write_report(path, asdict(self))

    def _shown(self) -> str:
        percent = self.shown_with_analysis_percent
        if percent is None:
            return "0"
        colour = "green" if percent >= LEAST_PERCENT else "bold red"
        return f"[{colour}]{self.shown_with_analysis} ({percent:.1f} %)[/]"

    def table(self) -> Table:
        """The report as a table."""
        table = make_table(title="What became of every alert", title_style="bold", show_header=False)
        table.add_row("accepted (answered 202)", str(self.accepted))
        table.add_row("  notified in Slack", str(self.notified))
        table.add_row("    of these in digests", str(self.in_digests))
        table.add_row("    shown with their analysis", self._shown())
        for reason, count in Counter(map(_kind, self.not_shown_ids.values())).most_common(_REASONS_SHOWN):
            table.add_row(f"      not shown: {reason}", str(count))
        table.add_row("  suppressed as repeats", str(self.suppressed))
        table.add_row("  parked", str(self.parked))
        for name, count in self.by_people.items():
            table.add_row(name, str(count))
        colour = "green" if self.unaccounted == 0 else "bold red"
        table.add_row(f"[{colour}]unaccounted[/]", f"[{colour}]{self.unaccounted}[/]")
        table.add_row("seen twice in Slack", str(self.duplicates))
        for cause, count in self.duplicates_by_cause.items():
            if count:
                table.add_row(f"  {cause.replace('_', ' ')}", str(count))
        for region in self.regions:
            table.add_section()
            table.add_row(f"{region.region} ({region.role}) accepted", str(region.accepted))
            table.add_row("  delivered to Slack from there", str(region.delivered))
            table.add_row("  of these taken over from the other region", str(region.taken_over))
        table.add_section()
        table.add_row("deployment", f"{self.deploy_s:.1f} s")
        table.add_row("alert to Slack, half within", _milliseconds(self.alert_to_slack_p50_ms))
        table.add_row("alert to Slack, 95 % within", _milliseconds(self.alert_to_slack_p95_ms))
        if self.slowest_alert_s is not None:
            table.add_row("slowest (stranded in the lost region)", f"{self.slowest_alert_s:.1f} s")
        return table


def make_report(  # noqa: PLR0913 - what each record says
    *,
    outcome: Audit,
    receipts: Sequence[Receipt],
    ledger: Iterable[LedgerRow],
    messages: Iterable[SlackMessage],
    shown: Shown,
    roles: Mapping[str, str],
    deploy_s: float,
    total_s: float,
    tally: Tally,
) -> DemoReport:
    """Join the audit's counts with latencies by two clocks that the pipeline does not own.

    `ledger` says which alerts a digest was about; the audit has verified it. `shown`: which of them were told
    with an analysis. It has not passed if those are too few.
    """
    by_id = {receipt.alert_id: receipt for receipt in receipts}
    members: dict[str, list[str]] = {}
    for row in ledger:
        if row.digest_id is not None:
            members.setdefault(row.digest_id, []).append(row.alert_id)
    delivered = [
        (alert_id, message)
        for message in messages
        for alert_id in (
            *message.alert_ids,
            *(member for digest_id, _ in message.digests for member in members.get(digest_id, ())),
        )
    ]
    first_ms: dict[str, int] = {}
    for alert_id, message in delivered:
        first_ms[alert_id] = min(message.received_at_ms, first_ms.get(alert_id, message.received_at_ms))
    latencies = sorted(
        ms - by_id[alert_id].sent_at_ms for alert_id, ms in first_ms.items() if alert_id in by_id
    )
    return DemoReport(
        passed=outcome.passed and (shown.percent is None or shown.percent >= LEAST_PERCENT),
        accepted=outcome.accepted,
        notified=outcome.notified,
        in_digests=outcome.in_digests,
        shown_with_analysis=shown.with_analysis,
        shown_with_analysis_percent=None if shown.percent is None else round(shown.percent, 1),
        not_shown_ids=shown.without,
        suppressed=outcome.suppressed,
        parked=outcome.parked,
        by_people=outcome.by_people,
        unaccounted=outcome.unaccounted,
        duplicates=outcome.duplicates,
        duplicates_by_cause=outcome.duplicates_by_cause or {},
        deploy_s=round(deploy_s, 2),
        alert_to_slack_p50_ms=_percentile(latencies, 50),
        alert_to_slack_p95_ms=_percentile(latencies, 95),
        slowest_alert_s=round(latencies[-1] / 1000, 1) if latencies else None,
        total_s=round(total_s, 1),
        refused=tally.refused.total(),
        given_up=tally.given_up,
        unaccounted_ids={**outcome.problems, **outcome.unexplained, **outcome.unread_parts},
        regions=tuple(
            RegionReport(
                region=region,
                role=role,
                accepted=sum(receipt.region == region for receipt in by_id.values()),
                delivered=sum(message.region == region for _, message in delivered),
                taken_over=sum(
                    message.region == region and alert_id in by_id and by_id[alert_id].region != region
                    for alert_id, message in delivered
                ),
            )
            for region, role in roles.items()
        ),
    )


def _percentile(ordered: Sequence[int], percent: int) -> float | None:
    if len(ordered) < 2:  # noqa: PLR2004 - quantiles need two points
        return float(ordered[0]) if ordered else None
    return round(statistics.quantiles(ordered, n=_PERCENTILE_STEPS, method="inclusive")[percent - 1], 1)


def _kind(reason: str) -> str:
    """A reason without its numbers, on one line."""
    return escape(re.sub(r"\d+", "…", reason)[:_REASON_CHARS])


def _milliseconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f} ms"
