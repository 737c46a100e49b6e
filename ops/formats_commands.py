"""`responder formats`: which bodies are taken, and what would be understood of one; nothing is sent."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from emulator.pulumi.project import stack_config
from handlers.domain.alert import IncomingAlert
from handlers.domain.configured import ConfiguredFormat, configured_formats, source_problems
from handlers.domain.formats import FORMATS, Format, ParseResult, parse
from handlers.domain.identity import fault_key_of
from handlers.domain.intake.rows import kept_links, link_marks
from handlers.domain.limits import MAX_BODY_BYTES
from handlers.domain.refusal import RefusedError
from lambda_packages import ROOT
from ops.options import AsJson, printable, printable_lines
from ops.tables import make_table, print_table
from topology.config import ConfigError
from topology.names import LOCAL_STACK, PROJECT
from topology.source_config import SOURCES_KEY, parse_sources

_HEADER_CONTENT: Final = {"content-type": "application/json"}

Stack = Annotated[str, typer.Option(help="The stack whose configured sources there are, by its file here.")]
Sources = Annotated[
    Path | None,
    typer.Option(help="A file of sources on trial instead: names and paths, or a whole Pulumi.<stack>.yaml."),
]

app = typer.Typer(
    help="Bodies that the webhook takes: which there are, and what would be understood of one.",
    no_args_is_help=True,
)


@app.command("list")
def list_formats(*, stack: Stack = LOCAL_STACK, sources: Sources = None, as_json: AsJson = False) -> None:
    """List the formats in the order in which they are asked: what identifies an alert, and how bad it is."""
    configured = read_sources(stack, sources)
    formats: list[Format] = [known for known in FORMATS if not known.last_resort]
    formats += [*configured, *(known for known in FORMATS if known.last_resort)]
    if as_json:
        rows = [
            {
                "format": spec.name,
                "configured": spec in configured,
                **spec.identity._asdict(),
                "severity": spec.severity,
            }
            for spec in formats
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table(
        "format", "event's id", "episode", "sent at", "resolution", "severity", whole={"format"}
    )
    for spec in formats:
        table.add_row(*(escape(printable(text)) for text in (spec.name, *spec.identity, spec.severity)))
    print_table(table, Console())


@app.command("try")
def try_body(
    file: Annotated[Path, typer.Argument(help="A body as its sender posts it; - for standard input.")],
    *,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the request, as `user-agent: Probes/1.0`.")
    ] = None,
    stack: Stack = LOCAL_STACK,
    sources: Sources = None,
    as_json: AsJson = False,
) -> None:
    """Say which format takes a body, and what it makes of it; nothing is sent, and no stack is needed.

    Of each alert: title, severity and the word that it is from, state, identity, links and labels, and what
    was put right in it. Then what is ignored or refused of the body, why, and what to do. Exits 1 if nothing
    or not all of it can be taken.

    Examples: `responder formats try body.json`, `responder formats try body.json --sources mine.yaml`.
    """
    body, headers = read_body(file), read_headers(header)
    configured = read_sources(stack, sources)
    try:
        result = parse(body, headers, sources=configured)
    except RefusedError as error:
        show_refusal(error, configured, as_json=as_json)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(_as_json(result), indent=2))
    else:
        _show(result, next(spec for spec in (*configured, *FORMATS) if spec.name == result.format), Console())
    if result.refused:
        raise typer.Exit(1)


def read_sources(stack: str, file: Path | None) -> tuple[ConfiguredFormat, ...]:
    """The sources of a file, or of the stack's own configuration.

    Raises:
        typer.BadParameter: the file cannot be read.
        ConfigError: with every problem of the sources.
    """
    problems: list[str] = []
    specs = (
        parse_sources(read_trial(file, SOURCES_KEY), problems) if file else stack_config(ROOT, stack).sources
    )
    problems += source_problems(specs)
    if problems:
        raise ConfigError(problems)
    return configured_formats(specs)


def read_trial(file: Path, key: str) -> object:
    """What a YAML file has for `key` of a stack's configuration: all of it, or what a stack's file has there.

    Raises:
        typer.BadParameter: the file cannot be read.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise typer.BadParameter(f"--{key}: {file} cannot be read as YAML ({reason})") from error
    if isinstance(content, Mapping):
        inner = content.get("config", content)
        if isinstance(inner, Mapping):
            content = inner.get(f"{PROJECT}:{key}", {} if inner is not content else content)
    # As the Pulumi CLI hands it over, whose keys are texts.
    return json.loads(json.dumps(content, default=str))


def read_body(file: Path) -> bytes:
    """What is in `file`, or comes in by standard input for `-`, as far as the webhook would take it.

    Raises:
        typer.BadParameter: the file cannot be read.
    """
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BODY_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_BODY_BYTES + 1)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read ({error.strerror})") from error


def read_headers(texts: Sequence[str] | None) -> Mapping[str, str]:
    """The headers of a request with these besides the usual one.

    Raises:
        typer.BadParameter: one is no header.
    """
    return _HEADER_CONTENT | dict(map(_header, texts or ()))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name.strip() and colon):
        raise typer.BadParameter(f"--header: {text!r} is no header; write it as `name: value`")
    return name.strip().lower(), value.strip()


def _show(result: ParseResult, spec: Format, console: Console) -> None:
    console.print(f"taken as [bold]{escape(spec.name)}[/]; alerts: {len(result.alerts)}", highlight=False)
    console.print(f"severity by {escape(spec.severity)}", highlight=False, soft_wrap=True)
    for alert in result.alerts:
        table = make_table(show_header=False, title=f"alert {alert.index}", title_justify="left")
        for name, value in _fields(alert).items():
            if value not in (None, "", [], {}):
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                table.add_row(name.replace("_", " "), escape(printable_lines(text)))
        print_table(table, console)
    for kind, index, why in _left(result) if result.alerts else ():
        console.print(f"{kind} {index}: {escape(printable(why))}", highlight=False, soft_wrap=True)
    if result.ignored_reason:
        reason = escape(printable(result.ignored_reason))
        console.print(f"ignored: {reason}. It is answered 200, and nobody is told", soft_wrap=True)
    elif result.refused:
        console.print("next: correct in the sender what was refused, and try it again", soft_wrap=True)
    else:
        console.print(
            "next: send it to the webhook; `responder connect SENDER --wait` watches it", soft_wrap=True
        )


def show_refusal(error: RefusedError, configured: Sequence[ConfiguredFormat], *, as_json: bool) -> None:
    """Print why nothing of a body can be taken, and what to do."""
    if as_json:
        document = {
            "format": error.body_format,
            "refused": [{"http_status": error.http_status, **_error(error)}],
        }
        typer.echo(json.dumps(document, indent=2))
        return
    where = f" at {error.field}" if error.field else ""
    typer.secho(
        printable(f"refused ({error.http_status} {error.code}{where}): {error.hint}"), fg="red", err=True
    )
    names = ", ".join(spec.name for spec in configured) or "none"
    typer.secho(
        f"configured sources: {names}. docs/senders.md shows how to describe another in ten lines; try them "
        "with --sources FILE",
        err=True,
    )


def _fields(alert: IncomingAlert) -> dict[str, Any]:
    """What is shown of an alert, by name; the severity with the word that it is from where none is known."""
    word = f" (the default: its word {alert.severity_word!r} is not known)" if alert.severity_word else ""
    links = kept_links(alert.links)
    return {
        "title": alert.title,
        "severity": f"{alert.severity}{word}",
        "state": str(alert.state),
        "status": alert.status,
        "source": alert.source,
        "event_id": alert.event_id or "none: repeats are known by the content",
        "episode": alert.episode,
        "fault_key": fault_key_of(alert),
        "component": alert.component,
        "host": alert.host,
        "message": alert.message,
        "started_at": alert.started_at,
        "links": links,
        "labels": dict(alert.labels),
        "mended": [*alert.mended, *link_marks(alert.links, links)],
        "left_out": alert.left_out or None,
    }


def _left(result: ParseResult) -> list[tuple[str, int, str]]:
    left = [("ignored", member.index, member.reason) for member in result.ignored]
    return left + [("refused", member.index, member.error.hint) for member in result.refused]


def _error(error: RefusedError) -> dict[str, Any]:
    return {"error": error.code, "field": error.field, "hint": error.hint}


def _as_json(result: ParseResult) -> dict[str, Any]:
    return {
        "format": result.format,
        "alerts": [{"index": alert.index, **_fields(alert)} for alert in result.alerts],
        "ignored_reason": result.ignored_reason,
        "ignored": [{"index": member.index, "reason": member.reason} for member in result.ignored],
        "refused": [{"index": member.index, **_error(member.error)} for member in result.refused],
    }
