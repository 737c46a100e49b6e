"""`responder routes`: which channel takes which alerts, and which would take those of a body."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from emulator.pulumi.project import stack_config
from handlers.domain.delivery.routing import Routing
from handlers.domain.formats import parse
from handlers.domain.refusal import RefusedError
from lambda_packages import ROOT
from ops.formats_commands import read_body, read_headers, read_sources, read_trial, show_refusal
from ops.options import AsJson, printable
from ops.tables import make_table, print_table
from topology.config import ConfigError, StackConfig
from topology.names import LOCAL_STACK, Names
from topology.route_config import ROUTES_KEY, parse_routes
from topology.routes import DEFAULT_ROUTE

_ALL: Final = "whatever no route takes"

Stack = Annotated[str, typer.Option(help="The stack whose routes they are, by its file here.")]
Routes = Annotated[
    Path | None,
    typer.Option(help="A file of routes on trial instead: a list, or a whole Pulumi.<stack>.yaml."),
]

app = typer.Typer(
    help="Routes: which alerts go to which channel in Slack (docs/routes.md).", no_args_is_help=True
)


@app.command("list")
def list_routes(*, stack: Stack = LOCAL_STACK, routes: Routes = None, as_json: AsJson = False) -> None:
    """List the routes of a stack's configuration in the order in which they are asked; the first takes it.

    What no route takes goes to the default channel, and so does an alert whose route's address Slack does
    not take: its message says so, and an alarm goes off. Exits 1 with every problem if the routes are wrong.

    Example: `responder routes list --stack prod`.
    """
    config = _config(stack, routes)
    to = _addresses(config)
    rows = [
        {
            "route": route.name,
            "takes": "nothing new" if route.retired else str(route.match),
            "to": to[route.name],
        }
        for route in config.routes
    ]
    rows.append({"route": DEFAULT_ROUTE, "takes": _ALL, "to": to[DEFAULT_ROUTE]})
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = make_table("route", "takes", "to", whole={"route"})
    for row in rows:
        table.add_row(*(escape(printable(text)) for text in row.values()))
    print_table(table, Console())


@app.command("try")
def try_body(
    file: Annotated[Path, typer.Argument(help="A body as its sender posts it; - for standard input.")],
    *,
    header: Annotated[
        list[str] | None, typer.Option(help="A header of the request, as `user-agent: Probes/1.0`.")
    ] = None,
    stack: Stack = LOCAL_STACK,
    routes: Routes = None,
    as_json: AsJson = False,
) -> None:
    """Say which route would take each alert of a body; nothing is sent, and no stack is needed.

    The body is read as the webhook reads it, with the stack's own sources. A resolution goes where the alert
    went that it resolves, and to the route named here only if there is none. Exits 1 if nothing or not all
    of the body can be taken, or the routes are wrong.

    Examples: `responder routes try body.json --stack prod`, `responder routes try - --routes mine.yaml`.
    """
    body, headers = read_body(file), read_headers(header)
    config, configured = _config(stack, routes), read_sources(stack, None)
    try:
        result = parse(body, headers, sources=configured)
    except RefusedError as error:
        show_refusal(error, configured, as_json=as_json)
        raise typer.Exit(1) from error
    routing, to = Routing(routes=config.routes), _addresses(config)
    rows: list[dict[str, Any]] = []
    for alert in result.alerts:
        route = routing.route_of(alert) or DEFAULT_ROUTE
        rows.append(
            {
                "index": alert.index,
                "title": alert.title,
                "severity": str(alert.severity),
                "source": alert.source,
                "route": route,
                "to": to[route],
            }
        )
    refused = [{"index": member.index, "hint": member.error.hint} for member in result.refused]
    if as_json:
        typer.echo(json.dumps({"format": result.format, "alerts": rows, "refused": refused}, indent=2))
    else:
        table = make_table("alert", "title", "severity", "source", "route", "to", whole={"route"})
        for row in rows:
            table.add_row(*(escape(printable(str(value))) for value in row.values()))
        print_table(table, Console())
        for member in refused:
            typer.echo(f"refused {member['index']}: {printable(str(member['hint']))}")
    if refused:
        raise typer.Exit(1)


def _config(stack: str, file: Path | None) -> StackConfig:
    """The stack's configuration, with the routes of `file` if it is given.

    Raises:
        typer.BadParameter: the file cannot be read.
        ConfigError: with every problem.
    """
    config = stack_config(ROOT, stack)
    if file is None:
        return config
    problems: list[str] = []
    given = parse_routes(read_trial(file, ROUTES_KEY), problems, bot=bool(config.slack_channel))
    if problems:
        raise ConfigError(problems)
    return replace(config, routes=given)


def _addresses(config: StackConfig) -> dict[str, str]:
    """Where each route and the default channel have their messages posted, by route."""
    names = Names(config.stack)
    by_bot = f"channel {config.slack_channel} by the bot"
    default = by_bot if config.slack_channel else f"webhook in {names.slack_webhook_secret}"
    return {
        DEFAULT_ROUTE: default,
        **{
            route.name: f"channel {route.channel} by the bot"
            if route.channel
            else f"webhook in {names.route_secret(route.secret)}"
            for route in config.routes
        },
    }
