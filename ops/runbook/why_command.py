"""`responder why`: what became of an event, and which rule decided it."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from clients.deployment import Deployment
from handlers.domain.text import inert
from ops.formats_commands import read_body, read_headers
from ops.local import running
from ops.opened_stack import Outputs, open_stack
from ops.options import AsJson, RunDir, printable
from ops.people_options import moment_ms
from ops.runbook.decision_output import decision_as_json, decision_lines
from runbook.why.bodies import outcome_of, outcome_of_receipts
from runbook.why.decision import Decision, Rule
from runbook.why.explanation import Explainer, Explanation
from runbook.why.logged import decision_of
from runbook.why.search import Found, Search

_AROUND_MS: Final = 300_000
"""Of a time that is asked for, as much before and after it."""

_CLOCK: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ])?\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
"""A time without its offset, which is another one in each place."""


def why(  # noqa: PLR0913 - one option each
    query: Annotated[
        str,
        typer.Argument(help="An id of alert, event, incident or request, a piece of its text, or a time."),
    ] = "",
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="A body as its sender posts it (-: standard input), or a file of its receipts."),
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of that request, as `user-agent: Probes/1.0`.")
    ] = None,
    source: Annotated[str, typer.Option(help="Whose event id it is, where no known sender's.")] = "",
    since: Annotated[
        str, typer.Option(help="Look through what came since then: 30m, 2h or ISO 8601.")
    ] = "24h",
    until: Annotated[str, typer.Option(help="And until then, likewise.")] = "0s",
    limit: Annotated[int, typer.Option(min=1, max=100, help="Explain so many events at most.")] = 5,
    read_max: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Rows that are read at most for a piece of text.")
    ] = 5_000,
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of an event, and which rule decided it: refused, ignored, folded and silenced ones too.

    Each answer names the rule and its figures: the window and the alert that it repeats, the quota, the
    silence with its matcher, the route, the incident that it is told with. What has an id is found however
    old it is; a piece of text is looked for in the span of --since, in at most --read-max rows; how many were
    read stands at the end. Secrets in what its sender wrote are redacted. Exits 1 if nothing is known of it,
    or a receipt's alert has no row.

    Examples: `responder why 'disk full' --since 2h`, `responder why 2026-11-30T03:12:00Z`,
    `responder why --file body.json`.
    """
    if bool(query) == (file is not None):
        raise typer.BadParameter("say which event: one of QUERY and --file")
    body, headers = (read_body(file), read_headers(header)) if file else (b"", {})
    now_ms = time.time_ns() // 1_000_000
    span = moment_ms(since, now_ms=now_ms), moment_ms(until, now_ms=now_ms)
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    explainer = Explainer(deployment)
    if file:
        outcome = outcome_of_receipts(deployment, file, limit=limit) if file.is_file() else None
        looked_at = "the receipts' alerts, by their ids" if outcome else "the faults of the body's alerts"
        outcome = outcome or outcome_of(deployment, explainer.rules, body, headers, limit=limit)
        found = Found(
            rows=outcome.rows, looked_at=[looked_at], unknown=outcome.unknown, rows_read=len(outcome.rows)
        )
        none = outcome.decisions
    else:
        found = _find(
            deployment, query, source=source, span=span, limit=limit, read_max=read_max, now_ms=now_ms
        )
        none = [decision_of(line) for line in found.lines]
    none = [decision.without_secrets() for decision in none]
    explanations = [explainer.explain(row) for row in found.rows]
    unknown = [*dict.fromkeys([*found.unknown, *(text for one in explanations for text in one.unknown)])]
    if as_json:
        typer.echo(json.dumps(_as_json(explanations, none, found, unknown), indent=2))
    else:
        _print(explanations, none)
        if explanations or none:
            typer.echo(printable(_in_short(explanations, none, found)))
        for text in unknown:
            typer.echo(f"unknown: {printable(text)}", err=True)
    if not explanations and not none:
        if not as_json:
            typer.echo(_nothing(query, found.looked_at), err=True)
        raise typer.Exit(1)
    if any(decision.rule is Rule.RECEIPT for decision in none):
        raise typer.Exit(1)


def _find(
    deployment: Deployment,
    query: str,
    *,
    source: str,
    span: tuple[int, int],
    limit: int,
    read_max: int,
    now_ms: int,
) -> Found:
    try:
        at_ms: int | None = moment_ms(query, now_ms=now_ms)
    except typer.BadParameter:
        if _CLOCK.fullmatch(query.strip()):
            raise
        at_ms = None
    since_ms, until_ms = span if at_ms is None else (at_ms - _AROUND_MS, at_ms + _AROUND_MS)
    search = Search(
        deployment=deployment,
        since_ms=since_ms,
        until_ms=until_ms,
        source=source,
        limit=limit,
        read_max=read_max,
    )
    return search.find(query) if at_ms is None else search.around(at_ms)


def _print(explanations: Sequence[Explanation], none: Sequence[Decision]) -> None:
    for explained in explanations:
        row, decided = explained.row, explained.decided_by
        title = inert(row["title"], one_line=True)
        typer.secho(f"{row['alert_id']}  {row['status']}  {row['severity']}  {title}", bold=True)
        typer.echo(printable(f"  decided by: {decided.rule}: {decided.what}"))
        typer.echo("\n".join(decision_lines(explained.decisions)))
    for decision in none:
        typer.secho(f"no row in the ledger: {decision.rule}", bold=True)
        typer.echo("\n".join(decision_lines([decision])))
        if decision.figures.get("sample"):
            typer.echo(printable(f"  it began: {decision.figures['sample']}"))


def _as_json(
    explanations: Sequence[Explanation], none: Sequence[Decision], found: Found, unknown: list[str]
) -> dict[str, Any]:
    return {
        "alerts": [
            {
                "alert": dict(explained.row),
                "decided_by": decision_as_json(explained.decided_by),
                "history": [decision_as_json(decision) for decision in explained.decisions],
            }
            for explained in explanations
        ],
        "no_alerts": [decision_as_json(decision) for decision in none],
        "looked_at": found.looked_at,
        "rows_read": found.rows_read,
        "rows_beside": sum(explained.rows_beside for explained in explanations),
        "read_units": found.read_units,
        "unknown": unknown,
    }


def _in_short(explanations: Sequence[Explanation], none: Sequence[Decision], found: Found) -> str:
    beside = sum(explained.rows_beside for explained in explanations)
    return (
        f"alerts {len(explanations)}, without a row {len(none)}; rows read {found.rows_read}, "
        f"{found.read_units:g} read units of lists, and {beside} beside the alerts; looked at "
        f"{', '.join(found.looked_at)}"
    )


def _nothing(query: str, looked_at: Sequence[str]) -> str:
    return printable(
        f"nothing is known of {query!r}; looked at {', '.join(looked_at)}. A wrong key, a wrong address and "
        "a body above 10 MB end at the API, which counts them as 4XXError. Next: a longer --since, --source "
        "NAME where it is a source's own id, or the body itself by --file"
    )
