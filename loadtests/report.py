"""The report of a load test: JSON for scripts, a table for people, and one line for both."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
from rich.table import Table

from clients.receipts import write_report
from loadtests.delivery import CRITICAL, OTHER, Delivery
from loadtests.figures import Histogram, Latency, Snapshot
from loadtests.slo import Threshold
from topology.alerts import Status

ACHIEVED_PERCENT_MIN: Final = 99.0
"""A run that sends less than this of its target did not put on the load that its figures are read for."""

_HUNDRED: Final = 100


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `reports/load-<shape>.json`; `schema` changes when a name or a meaning does.

    Rates are posts a second: `target_per_s` by the schedule, `achieved_per_s` what began within it.
    `accepted` counts alerts. `answers` counts tries by status, `none` where nothing came back, which
    `connection_failures` counts too. `http_ms` counts from when a post was due to its last answer,
    `critical_ms` and `other_ms` from an alert's 202 to Slack. `told_alone_percent` and `analysed_percent` are
    of the NOTIFIED: not in a digest; with an analysis that did not come after. `backlog` is how many were
    not at rest when all was sent, `not_at_rest` when the wait for them ended, `at_rest_after_s` how long the
    last one took after the last 202. `audit` is that of `responder load`.
    """

    schema: int = 1
    shape: str
    run: str
    stack: str
    claude: str
    begun_at_ms: int
    seconds: float
    workers: int
    workers_lost: int
    target_per_s: float
    achieved_per_s: float
    achieved_percent: float
    due: int
    posted: int
    accepted: int
    accepted_per_s: float
    answers: Mapping[str, int]
    connection_failures: int
    retries: int
    refused: int
    given_up: int
    late: int
    never_sent: int
    http_ms: Latency
    critical_ms: Latency
    other_ms: Latency
    told_alone_percent: float | None
    analysed_percent: float | None
    followed_up: int
    in_digests: int
    suppressed: int
    parked: int
    backlog: int | None
    not_at_rest: int | None
    at_rest_after_s: float | None
    slack_messages: int | None
    slack_429s: int | None
    model_calls: int | None
    processor_s: Mapping[str, float]
    failures: tuple[str, ...]
    audit: Mapping[str, Any] | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def write(self, path: Path) -> None:
        """Write the JSON, whole or not at all."""
        write_report(path, msgspec.to_builtins(self))

    def table(self) -> Table:
        """The report as a table."""
        table = Table(title=f"Load: {self.shape} on {self.stack}", show_header=False)
        table.add_row("rate", f"{self.achieved_per_s:.1f} of {self.target_per_s:.1f} posts a second")
        table.add_row("posts", f"{self.posted} of {self.due}; late {self.late}, never sent {self.never_sent}")
        table.add_row("alerts accepted", f"{self.accepted}, {self.accepted_per_s:.1f} a second")
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items()))
        table.add_row("answers", f"{answers or 'none'}; {self.retries} retries")
        table.add_row("refused, given up", f"{self.refused}, {self.given_up}")
        table.add_row("HTTP, from when it was due", str(self.http_ms))
        table.add_row("CRITICAL, 202 to Slack", str(self.critical_ms))
        table.add_row("others, 202 to Slack", str(self.other_ms))
        table.add_row("told alone, in digests", f"{_percent(self.told_alone_percent)}, {self.in_digests}")
        analysed = f"{_percent(self.analysed_percent)}, {self.followed_up} followed up"
        table.add_row("analysed when told", analysed)
        table.add_row(
            "shown with their analysis", _percent((self.audit or {}).get("shown_with_analysis_percent"))
        )
        table.add_row("suppressed, parked", f"{self.suppressed}, {self.parked}")
        table.add_row("not at rest when all was sent", _known(self.backlog))
        table.add_row("all at rest after", _known(self.at_rest_after_s, " s"))
        messages = f"{_known(self.slack_messages)}, {_known(self.slack_429s)} posts answered 429"
        table.add_row("messages in Slack", messages)
        used = sorted(self.processor_s.items(), key=lambda item: -item[1])
        table.add_row("processor time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in used))
        table.add_row("calls of Claude", f"{_known(self.model_calls)}, answered after {self.claude}")
        for failure in self.failures:
            table.add_row("[bold red]missed[/]", failure)
        return table

    def summary(self) -> str:
        """The figures that count, in one line."""
        return (
            f"load {self.shape}: {self.achieved_per_s:.1f} of {self.target_per_s:.1f} posts/s, "
            f"accepted {self.accepted}, HTTP p95 {_ms(self.http_ms.p95)}, CRITICAL to Slack p95 "
            f"{_ms(self.critical_ms.p95)}, others {_ms(self.other_ms.p95)}, Claude {self.claude}: "
            + ("passed" if self.passed else f"{len(self.failures)} missed")
        )


METRICS: Final = tuple(
    name
    for field, kind in get_type_hints(LoadReport).items()
    for name in (
        [f"{field}.{part}" for part in Latency.__struct_fields__]
        if kind is Latency
        else [field] * (kind in (int, float, int | None, float | None))
    )
)
"""What a threshold may be of."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was, for its report."""

    shape: str
    run: str
    stack: str
    claude: str
    begun_at_ms: int
    seconds: float
    workers: int
    lost: frozenset[int] = frozenset()
    backlog: int | None = None
    slack_429s: int | None = None
    model_calls: int | None = None
    processor_s: Mapping[str, float] = {}
    failures: tuple[str, ...] = ()


def make_report(
    facts: Facts, total: Snapshot, delivery: Delivery, thresholds: Sequence[Threshold]
) -> LoadReport:
    """Make the report of what was sent and delivered, with what it misses."""
    rows = delivery.rows.values()
    notified = [row for row in rows if row.status is Status.NOTIFIED]
    late = delivery.follow_ups & delivery.rows.keys()
    at_once = sum(
        row.analysed and row.follow_up is None and alert_id not in late
        for alert_id, row in delivery.rows.items()
        if row.status is Status.NOTIFIED
    )
    known = delivery.reads_ledger
    report = LoadReport(
        shape=facts.shape,
        run=facts.run,
        stack=facts.stack,
        claude=facts.claude,
        begun_at_ms=facts.begun_at_ms,
        seconds=facts.seconds,
        workers=facts.workers,
        workers_lost=len(facts.lost),
        target_per_s=total.due / facts.seconds,
        achieved_per_s=total.on_time / facts.seconds,
        achieved_percent=_HUNDRED * total.on_time / max(1, total.due),
        due=total.due,
        posted=total.posted,
        accepted=total.accepted,
        accepted_per_s=total.accepted / facts.seconds,
        answers=total.answers,
        connection_failures=total.answers.get("none", 0),
        retries=total.retries,
        refused=sum(total.refused.values()),
        given_up=total.given_up,
        late=total.late,
        never_sent=total.never_sent,
        http_ms=Histogram([total.http]).latency(),
        critical_ms=delivery.latency[CRITICAL].latency(),
        other_ms=delivery.latency[OTHER].latency(),
        told_alone_percent=_share(sum(row.digest_id is None for row in notified), len(notified)),
        analysed_percent=_share(at_once, len(notified)),
        followed_up=len(late),
        in_digests=sum(row.digest_id is not None for row in notified),
        suppressed=sum(row.status is Status.SUPPRESSED for row in rows),
        parked=sum(row.status is Status.PARKED for row in rows),
        backlog=facts.backlog if known else None,
        not_at_rest=len(delivery.pending) if known else None,
        at_rest_after_s=_rested_after_s(delivery),
        slack_messages=delivery.messages if delivery.reads_slack else None,
        slack_429s=facts.slack_429s,
        model_calls=facts.model_calls,
        processor_s=facts.processor_s,
        failures=(),
    )
    failures = (*facts.failures, *_failures(report, total, delivery, thresholds))
    return msgspec.structs.replace(report, failures=failures)


def _failures(
    report: LoadReport, total: Snapshot, delivery: Delivery, thresholds: Sequence[Threshold]
) -> Iterator[str]:
    if total.error:
        yield total.error
    if report.workers_lost:
        yield f"{report.workers_lost} of {report.workers} workers were lost; see their logs"
    if report.achieved_percent < ACHIEVED_PERCENT_MIN:
        yield (
            f"the target was not put on: {report.achieved_per_s:.2f} of {report.target_per_s:.2f} posts a "
            f"second began in time, {report.achieved_percent:.1f} % and not {ACHIEVED_PERCENT_MIN:g}; "
            "use more processes or less load"
        )
    if not report.accepted:
        yield "no alert was accepted, so nothing is known of the stack"
    if unreported := total.accepted - delivery.reported:
        yield f"{unreported} accepted alerts were not reported by the workers; see the receipts"
    figures = msgspec.to_builtins(report)
    yield from filter(None, (threshold.breach(figures) for threshold in thresholds))


def _rested_after_s(delivery: Delivery) -> float | None:
    """From the last 202 to the last notification; None while any alert is not at rest."""
    if not delivery.rows or delivery.pending:
        return None
    accepted_ms = max(alert.at_ms for alert in delivery.accepted.values())
    notified_ms = max(row.notified_at_ms or 0 for row in delivery.rows.values())
    return max(0.0, round((notified_ms - accepted_ms) / 1000, 3))


def _share(part: int, whole: int) -> float | None:
    return round(_HUNDRED * part / whole, 1) if whole else None


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g} %"


def _known(value: float | None, unit: str = "") -> str:
    return "unknown" if value is None else f"{value:g}{unit}"


def _ms(value: int | None) -> str:
    return "unknown" if value is None else f"{value / 1000:.2f} s"
