"""`responder logs`: the functions' lines from both regions in one order, and how long they are kept."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from clients.deployment import Deployment
from clients.logs import LogLine
from ops.hints import hinted
from ops.local import running
from ops.opened_stack import Outputs, StackName, chosen_regions, confirm, open_stack
from ops.options import AsJson, DryRun, OnlyRegion, RunDir, Yes, printable, say_unknown
from ops.people_options import moment_ms
from ops.tables import make_table, print_table
from runbook.logs import OVERLAP_MS, LogGroup, Tail, pattern_of, read_retention, set_retention
from topology.functions import FUNCTIONS, FunctionSpec
from topology.limits import LOG_RETENTION_DAYS

_POLL_S: Final = 2.0
_COLOURS: Final = dict(
    zip((spec.suffix for spec in FUNCTIONS), ("cyan", "magenta", "green", "yellow"), strict=True)
)
_OWN: Final = frozenset({"timestamp", "level", "logger", "message", "function", "region", "exc_info"})
"""Fields of a line that stand elsewhere in it, or take too much room."""

Region = Annotated[str, typer.Option(help="Only this region.")]


def tail(
    alert_id: Annotated[str, typer.Argument(help="Only lines that name this alert.")] = "",
    *,
    since: Annotated[str, typer.Option(help="From when: 90s, 30m, 2h or 7d ago, or ISO 8601.")] = "15m",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines until Ctrl-C.")] = False,
    function: Annotated[
        str, typer.Option(help="Only of reception, analysis, distribution or recovery.")
    ] = "",
    region: OnlyRegion = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
) -> None:
    """Print what the functions of both regions logged, in time order; of one alert, if its id is given.

    Lambda's own lines, such as REPORT, are left out. Exits 1 if a log could not be read.
    """
    deployment = open_stack(run_dir, outputs, attempts_max=2).deployment
    since_ms = moment_ms(since, now_ms=time.time_ns() // 1_000_000)
    regions = [endpoints.region for endpoints in chosen_regions(deployment, region)]
    reader = Tail(deployment, _functions(function), regions, pattern_of(alert_id))
    console = Console(highlight=False)
    _print_lines(reader.lines(since_ms=since_ms), console, as_json=as_json)
    _say_unread(reader, {})
    while follow:
        time.sleep(_POLL_S)
        began_ms, before = time.time_ns() // 1_000_000, reader.unread
        _print_lines(reader.lines(since_ms=since_ms), console, as_json=as_json)
        _say_unread(reader, before)
        since_ms = max(since_ms, reader.read_to_ms(began_ms) - OVERLAP_MS)
    if reader.unread:
        raise typer.Exit(1)


def retention(
    *,
    days: Annotated[int, typer.Option(help="Days to keep lines; else as the stack's file says.")] = 0,
    fix: Annotated[
        bool, typer.Option("--fix", help="Set it where it is not so; older lines are deleted.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    stack_name: StackName = "",
    run_dir: RunDir = running.RUN_DIR,
    outputs: Outputs = None,
    as_json: AsJson = False,
) -> None:
    """Find log groups that keep their lines for another time than the stack's configuration says.

    Exits 1 if there is one, or a region could not be read.
    """
    if days and days not in LOG_RETENTION_DAYS:
        raise typer.BadParameter(
            f"--days {days}: CloudWatch Logs takes {', '.join(map(str, LOG_RETENTION_DAYS))}"
        )
    stack = open_stack(run_dir, outputs, attempts_max=2)
    wanted = days or stack.config.log_retention_days
    groups, unread = _read_groups(stack.deployment)
    drifted = [group for group in groups if group.drifted(wanted)]
    if drifted and fix and not dry_run:
        shortened = f"{len(drifted)} log groups keep {wanted} days; what is older is deleted."
        confirm(stack.deployment, shortened, yes=yes, stack_name=stack_name)
        for group in drifted:
            set_retention(stack.deployment, group, wanted)
        groups, unread = _read_groups(stack.deployment)
    _report(groups, wanted, as_json=as_json)
    say_unknown("its logs were not read", unread)
    left = [group for group in groups if group.missing or group.drifted(wanted)]
    if any(group.drifted(wanted) for group in left):
        typer.secho(hinted("next: `responder logs retention --fix`"), err=True)
    if left or unread:
        raise typer.Exit(1)


def _functions(key: str) -> tuple[FunctionSpec, ...]:
    found = tuple(spec for spec in FUNCTIONS if key in ("", spec.key))
    if not found:
        raise typer.BadParameter(f"--function {key!r}: one of {', '.join(spec.key for spec in FUNCTIONS)}")
    return found


def _print_lines(lines: Iterable[LogLine], console: Console, *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            event = {"at_ms": line.at_ms, "region": line.region, "function": line.function}
            typer.echo(
                json.dumps(event | {"fields": line.fields, "text": None if line.fields else line.text})
            )
        elif line.fields is not None and "_aws" not in line.fields:
            console.print(_shown(line, line.fields), soft_wrap=True)


def _shown(line: LogLine, fields: Any) -> Text:
    at = time.strftime("%H:%M:%S", time.gmtime(line.at_ms / 1_000))
    level = str(fields.get("level", ""))
    others = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _OWN)
    return Text.assemble(
        f"{at}.{line.at_ms % 1_000:03d} {line.region} ",
        (f"{line.function.removesuffix('Function'):<14} ", _COLOURS[line.function]),
        (f"{printable(level):<7} ", "" if level == "INFO" else "red"),
        (printable(str(fields.get("message", ""))), "bold"),
        f"  {printable(others)}",
    )


def _say_unread(reader: Tail, before: Mapping[str, str]) -> None:
    """Which logs are unread that were not so before, and which are read again."""
    new = {place: why for place, why in reader.unread.items() if place not in before}
    say_unknown("its log was not read to its end", new)
    for place in before.keys() - reader.unread.keys():
        typer.secho(f"{place}: read again", err=True)


def _read_groups(deployment: Deployment) -> tuple[list[LogGroup], dict[str, str]]:
    groups: list[LogGroup] = []
    unread: dict[str, str] = {}
    for endpoints in deployment.regions:
        try:
            groups += read_retention(deployment, endpoints.region)
        except (BotoCoreError, ClientError) as error:
            unread[endpoints.region] = str(error)
    return groups, unread


def _report(groups: list[LogGroup], wanted: int, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "region": one.region,
                "log_group": one.name,
                "days": one.days,
                "wanted": wanted,
                "state": _state(one, wanted),
            }
            for one in groups
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("region", "log group", "keeps", "", whole=("region", "log group"))
    for one in groups:
        table.add_row(
            one.region, escape(one.name), f"{one.days} days" if one.days else "for ever", _state(one, wanted)
        )
    print_table(table, Console())


def _state(group: LogGroup, wanted: int) -> str:
    if group.missing:
        return "missing: deploy the stack"
    return f"should be {wanted} days" if group.drifted(wanted) else "ok"
