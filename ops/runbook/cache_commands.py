"""`responder cache`: what the analysis cache saves, and taking answers out of it."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import Progress

from clients.analysis_cache import CachedAnalyses
from ops.local import running
from ops.opened_stack import Outputs, StackName, confirm, open_stack
from ops.options import AsJson, DryRun, RunDir, Yes, printable, say_unknown
from ops.people_options import span_of
from ops.tables import make_table, print_table
from runbook.cache import CacheFigures, Selection, evict, figures, select


def stats(*, run_dir: RunDir = running.RUN_DIR, outputs: Outputs = None, as_json: AsJson = False) -> None:
    """Show what the analysis cache of each region holds, and how often it was enough in 24 hours.

    Exits 1 if no region answers. A figure without data is unknown.
    """
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    found = [figures(deployment, endpoints.region) for endpoints in deployment.regions]
    if as_json:
        typer.echo(json.dumps([asdict(one) | {"hit_rate": one.hit_rate} for one in found], indent=2))
    else:
        table = make_table("", *(one.region for one in found))
        for title, value in _LINES.items():
            table.add_row(title, *(value(one) for one in found))
        print_table(table, Console())
    say_unknown("it was not read", {one.region: one.error for one in found if one.error})
    if all(one.error for one in found):
        raise typer.Exit(1)


def clear(  # noqa: PLR0913 - one option each
    *,
    signature: Annotated[str | None, typer.Option(help="Only the answer to this error signature.")] = None,
    older_than: Annotated[str, typer.Option(help="Only what was asked for longer ago, such as 6h, 2d.")] = "",
    model: Annotated[str | None, typer.Option(help="Only what this model said.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Take answers out of the analysis cache of both regions: all, or those that the options say.

    The model is asked again with the next alert of each signature. An answer that was asked for before, and
    comes later, is not cached. Exits 1 where a region did not take it.
    """
    at_ms = time.time_ns() // 1_000_000
    before_ms = at_ms - span_of("--older-than", older_than) * 1_000 if older_than else None
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    cache = CachedAnalyses(deployment)
    selection = Selection(signature=signature, asked_before_ms=before_ms, model=model)
    entries = select(deployment, cache, selection)
    models = sorted({entry.model for entry in entries})
    about = f"{len(entries)} analyses" + (f" by {', '.join(map(printable, models))}" if models else "")
    if dry_run or not entries:
        _say({"would_evict": [entry.signature for entry in entries]}, f"would evict {about}", as_json=as_json)
        return
    confirm(deployment, f"{about} are evicted, and asked for again.", yes=yes, stack_name=stack_name)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("evicting", total=len(entries))
        done = evict(
            deployment,
            cache,
            entries,
            at_ms=at_ms,
            progress=lambda number: progress.update(task, completed=number),
        )
    report = {"evicted": sorted(done.evicted), "newer": sorted(done.newer), "failed": done.failed}
    kept = f"; {len(done.newer)} were answered anew meanwhile, and stay" if done.newer else ""
    _say(report, f"evicted {len(done.evicted)} of {about}{kept}", as_json=as_json)
    for region, error in done.failed.items():
        text = (
            f"{region}: not everything was evicted there ({printable(error)}); run it again when it answers"
        )
        typer.secho(text, fg="red", err=True)
    if done.failed:
        raise typer.Exit(1)


def _say(report: Mapping[str, object], text: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(report, indent=2) if as_json else text)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.0f}"


def _percent(figures: CacheFigures) -> str:
    return "unknown" if figures.hit_rate is None else f"{figures.hit_rate:.0%}"


_LINES: Final[Mapping[str, Callable[[CacheFigures], str]]] = {
    "entries (up to 6 h old)": lambda one: _number(one.entries),
    "bytes (up to 6 h old)": lambda one: _number(one.bytes),
    "answered by the cache, 24 h": lambda one: _number(one.hits),
    "answered by the model, 24 h": lambda one: _number(one.model_calls),
    "hit rate, 24 h": _percent,
    "input tokens, 24 h": lambda one: _number(one.input_tokens),
    "output tokens, 24 h": lambda one: _number(one.output_tokens),
}
