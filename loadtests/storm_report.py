"""The storm's report: a table for people, JSON for scripts, and the goals that were missed."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.table import Table

from audit.ledger import LedgerRow
from audit.outcome import Audit
from clients.receipts import Receipt, write_report
from emulator.claude_latency import HONEST
from emulator.protocol import SlackMessage
from loadtests.storm import Storm, StormPlan

CRITICAL_P95_GOAL_S: Final = 5.0
AT_REST_GOAL_S: Final = 60.0
_CUTS: Final = 100


@dataclass(frozen=True)
class Latency:
    """From an alert's 202 to its message in Slack, in seconds; None where there was none."""

    count: int
    p50_s: float | None = None
    p95_s: float | None = None
    max_s: float | None = None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Summarise the latencies of some alerts."""
        if len(seconds) < 2:  # noqa: PLR2004 - quantiles need two points
            only = round(seconds[0], 2) if seconds else None
            return cls(len(seconds), only, only, only)
        cuts = statistics.quantiles(seconds, n=_CUTS, method="inclusive")
        return cls(len(seconds), round(cuts[49], 2), round(cuts[94], 2), round(max(seconds), 2))

    def __str__(self) -> str:
        """The text for the table."""
        if self.p95_s is None:
            return "unknown"
        return f"p50 {self.p50_s:.1f} s, p95 {self.p95_s:.1f} s, most {self.max_s:.1f} s; {self.count} alerts"


@dataclass(frozen=True)
class StormReport:
    """The content of `reports/storm.json`. Times are of one machine: they rank, they do not predict.

    `per_minute`: alerts accepted a minute during the storm; `at_rest_after_s`: from its end to the last
    notification, None if some alert never came to rest; `in_digests`: alerts notified by one of `digests`.
    """

    plan: StormPlan
    accepted: int
    per_minute: float
    retries: int
    refused: int
    given_up: int
    critical: Latency
    ordinary: Latency
    at_rest_after_s: float | None
    messages: int
    digests: int
    in_digests: int
    slack_429s: int
    processor_s: Mapping[str, float]
    audit: Mapping[str, object]
    missed: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        write_report(path, asdict(self))

    def table(self) -> Table:
        """The report as a table."""
        table = Table(title="The storm", show_header=False)
        plan = self.plan
        sent = f"{plan.schedule.count} in {plan.minutes:g} min, {plan.critical_percent:g} % CRITICAL"
        table.add_row("alerts posted", sent)
        table.add_row("accepted", f"{self.accepted}, {self.per_minute:.0f} a minute; {self.retries} retries")
        table.add_row("refused, given up", f"{self.refused}, {self.given_up}")
        table.add_row(f"CRITICAL to Slack (goal p95 {CRITICAL_P95_GOAL_S:g} s)", str(self.critical))
        table.add_row("others to Slack", str(self.ordinary))
        rested = "never" if self.at_rest_after_s is None else f"{self.at_rest_after_s:.1f} s"
        table.add_row(f"all at rest after its end (goal {AT_REST_GOAL_S:g} s)", rested)
        table.add_row("Claude's latency", str(HONEST))
        table.add_row("messages in Slack", f"{self.messages}, {self.digests} of them digests")
        table.add_row("alerts notified by a digest", str(self.in_digests))
        table.add_row("posts that Slack answered 429", str(self.slack_429s))
        used = sorted(self.processor_s.items(), key=lambda item: -item[1])
        table.add_row("processor time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in used))
        for goal in self.missed:
            table.add_row("[bold red]missed[/]", goal)
        return table


def make_report(
    storm: Storm,
    *,
    receipts: Iterable[Receipt],
    rows: Iterable[LedgerRow],
    messages: Iterable[SlackMessage],
    audit: Audit,
    slack_429s: int,
) -> StormReport:
    """Make the report from the records of sender, ledger and Slack."""
    accepted = {r.alert_id: r.accepted_at_ms for r in receipts if r.accepted_at_ms >= storm.begun_ms}
    by_id = {row.alert_id: row for row in rows if row.alert_id in accepted}
    during = [message for message in messages if message.received_at_ms >= storm.begun_ms]
    first_ms = _first_seen(during)
    latency_s: dict[bool, list[float]] = {True: [], False: []}
    for alert_id, row in by_id.items():
        seen_ms = first_ms.get(alert_id) or first_ms.get(row.digest_id or "")
        if seen_ms is not None:
            latency_s[alert_id in storm.critical].append((seen_ms - accepted[alert_id]) / 1000)
    last_ms = max((row.notified_at_ms or 0 for row in by_id.values()), default=storm.ended_ms)
    at_rest_after_s = max(0.0, (last_ms - storm.ended_ms) / 1000) if storm.rested else None
    critical = Latency.of(latency_s[True])
    return StormReport(
        plan=storm.plan,
        accepted=len(accepted),
        per_minute=round(len(accepted) * 60_000 / max(1, storm.ended_ms - storm.begun_ms), 1),
        retries=storm.tally.retries,
        refused=storm.tally.refused.total(),
        given_up=storm.tally.given_up,
        critical=critical,
        ordinary=Latency.of(latency_s[False]),
        at_rest_after_s=at_rest_after_s,
        messages=len(during),
        digests=sum(bool(message.digests) for message in during),
        in_digests=sum(row.digest_id is not None for row in by_id.values()),
        slack_429s=slack_429s,
        processor_s=storm.processor_s,
        audit=asdict(audit),
        missed=tuple(_missed(storm, critical, at_rest_after_s, audit)),
    )


def _first_seen(messages: Iterable[SlackMessage]) -> dict[str, int]:
    """When each alert or digest first came to Slack, by id, in epoch milliseconds; messages oldest first."""
    first_ms: dict[str, int] = {}
    for message in messages:
        for subject in (*message.alert_ids, *(digest_id for digest_id, _ in message.digests)):
            first_ms.setdefault(subject, message.received_at_ms)
    return first_ms


def _missed(storm: Storm, critical: Latency, at_rest_after_s: float | None, audit: Audit) -> Iterator[str]:
    if critical.p95_s is None:
        yield "no CRITICAL alert reached Slack, so its latency is unknown"
    elif critical.p95_s > CRITICAL_P95_GOAL_S:
        yield f"CRITICAL p95 {critical.p95_s:g} s, above {CRITICAL_P95_GOAL_S:g} s"
    if at_rest_after_s is None or at_rest_after_s > AT_REST_GOAL_S:
        yield f"not all at rest within {AT_REST_GOAL_S:g} s of the end"
    if storm.tally.given_up or storm.tally.refused:
        yield f"{storm.tally.given_up + storm.tally.refused.total()} posts were never accepted"
    if not audit.passed:
        yield "the audit found problems, or receipts that it cannot read"
