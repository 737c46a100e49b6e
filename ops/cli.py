"""`responder`: one command per procedure. Exit 0 done, 1 found unhealthy or failed, 2 used wrongly."""

import asyncio
import sys
from typing import Final

import typer

from audit.access_log import AccessLogError
from audit.ledger import LedgerUnreadableError
from chaos.simulator import cli as simulator
from clients.coordination import CoordinationUnreachableError
from clients.deployment import IncompleteOutputsError
from clients.ledger import LedgerUnreachableError
from clients.receipts import ReceiptsError
from components.packages import PackageError
from dr.comparison.canonical import NotAnItemError
from dr.comparison.items import ComparisonError
from dr.comparison.states import TableUnreadableError
from dr.drill.record import DrillStateError
from dr.exports.objects import ObjectMissingError, ObjectsUnreadableError
from dr.exports.requests import ExportRefusedError, ExportsUnknownError
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.restores.calls import RestoreFailedError, RestoreRefusedError
from dr.restores.repair import RepairRefusedError
from dr.restores.settings import SettingsUnknownError
from dr.restores.table_items import TableUnwritableError
from emulator.deploy import DeployError
from emulator.errors import EmulatorError
from emulator.provider.state import StateError
from ops import chaos_commands, commands, dr_commands, local_commands, parked_commands, storm_command
from ops.audit_command import audit_command
from topology.config import ConfigError

EXPECTED: Final = (
    AccessLogError,
    ComparisonError,
    ConfigError,
    CoordinationUnreachableError,
    DeployError,
    DrillStateError,
    EmulatorError,
    ExportRefusedError,
    ExportsUnknownError,
    IncompleteOutputsError,
    LedgerUnreachableError,
    LedgerUnreadableError,
    NotAnItemError,
    ObjectMissingError,
    ObjectsUnreadableError,
    OperationFailedError,
    OperationRefusedError,
    PackageError,
    ReceiptsError,
    RepairRefusedError,
    RestoreFailedError,
    RestoreRefusedError,
    SettingsUnknownError,
    StateError,
    TableUnreadableError,
    TableUnwritableError,
)
"""Errors that say what to do next: one line each, never a traceback."""

app = typer.Typer(
    name="responder",
    help="Bring up, operate and audit the two-region alert pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("demo")(commands.demo)
app.command("audit")(audit_command)
app.command("packages")(commands.packages)
local = typer.Typer(help="The stack on the embedded AWS: no account, no Docker.", no_args_is_help=True)
local.command("up")(local_commands.up)
local.command("status")(local_commands.status)
local.command("replay")(local_commands.replay_stream)
local.command("break")(local_commands.break_region)
local.command("mend")(local_commands.mend_region)
local.command("deviations")(local_commands.deviations)
local.command("down")(local_commands.down)
app.add_typer(local, name="local")
app.add_typer(parked_commands.app, name="parked")
app.add_typer(chaos_commands.app, name="chaos")
app.add_typer(simulator.app, name="simulate")
app.add_typer(dr_commands.app, name="dr")
app.command("storm")(storm_command.storm)


def main() -> None:
    """Run the command line; an expected error is one line on stderr."""
    try:
        app()
    except EXPECTED as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.secho("interrupted", err=True)
        sys.exit(130)
