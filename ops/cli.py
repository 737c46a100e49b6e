"""`responder`: one command per procedure. Exit 0 done, 1 found unhealthy or failed, 2 used wrongly."""

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

from clients.interrupts import INTERRUPTED_CODE
from clients.output_files import DISK_ERRORS
from ops.hints import hinted
from ops.lazy import lazy_group
from topology.errors import ExplainedError

_local = lazy_group(
    "The stack on the embedded AWS: no account, no Docker.",
    {
        "up": "ops.local.commands:up",
        "pulumi": "ops.local.pulumi_command:command",
        "status": "ops.local.commands:status",
        "replay": "ops.local.replay:replay_stream",
        "break": "ops.local.commands:break_region",
        "start": "ops.local.commands:start_region",
        "deviations": "ops.local.commands:deviations",
        "down": "ops.local.commands:down",
    },
)
_dr = lazy_group(
    "Disaster recovery: failover and back, exports and restores, rebuild, drills.",
    {
        "failover": "ops.dr.commands:failover",
        "failback": "ops.dr.commands:failback",
        "status": "ops.dr.commands:status",
        "rebuild": "ops.dr.rebuild_command:rebuild_stack",
        "export": "ops.dr.data_commands:export",
        "exports": "ops.dr.data_commands:exports",
        "check": "ops.dr.data_commands:check",
        "compare": "ops.dr.data_commands:compare",
        "restore": "ops.dr.restore_commands:restore",
        "repair": "ops.dr.restore_commands:repair",
        "drill": "ops.dr.drill_command:drill",
    },
)
_cache = lazy_group(
    "The analysis cache: what it saves, and taking answers out of it.",
    {"stats": "ops.runbook.cache_commands:stats", "clear": "ops.runbook.cache_commands:clear"},
)
_secrets = lazy_group(
    "Secrets: whether each has a value in both regions, and rotating one.",
    {"status": "ops.runbook.secrets_commands:status", "rotate": "ops.runbook.secrets_commands:rotate"},
)
_maintenance = lazy_group(
    "Upkeep of the tables: expiry, and how large they are.",
    {
        "retention": "ops.runbook.maintenance_commands:retention",
        "sizes": "ops.runbook.maintenance_commands:sizes",
    },
)
_deploy = lazy_group(
    "A deployed stack: whether it is as it should be, and what only AWS itself can prove.",
    {"check": "ops.deploy_check:check", "prove": "ops.deploy_prove:prove"},
)
_logs = lazy_group(
    "What the functions log: in both regions at once, and for how long it is kept.",
    {"tail": "ops.runbook.log_commands:tail", "retention": "ops.runbook.log_commands:retention"},
)
_alerts = lazy_group(
    "Alerts: list them, show one with its history, send one, or say that somebody sees to it.",
    {
        "list": "ops.runbook.history_commands:list_",
        "show": "ops.runbook.history_commands:show",
        "send": "ops.runbook.send_command:send",
        "ack": "ops.alert_commands:acknowledge",
        "snooze": "ops.alert_commands:snooze",
    },
)
_health = lazy_group(
    "Whether a stack is well: now, and as the morning begins with.",
    {"check": "ops.runbook.health_commands:check", "daily": "ops.runbook.health_commands:daily"},
)
_dlq = lazy_group(
    "Dead-letter queues: what lies there and why, sending it again, dropping it.",
    {
        "list": "ops.runbook.dlq_commands:list_letters",
        "show": "ops.runbook.dlq_commands:show",
        "redrive": "ops.runbook.dlq_commands:redrive",
        "drop": "ops.runbook.dlq_commands:drop",
    },
)
_queue = lazy_group(
    "The queues of wake-ups, which hold no alert.", {"purge": "ops.runbook.queue_commands:purge"}
)
_tune = lazy_group(
    "How much a stack takes, what saturates, and what tuning buys.",
    {
        "memory": "ops.memory_commands:memory",
        "samples": "ops.memory_commands:samples",
        "replay": "ops.memory_commands:replayed",
        "throughput": "ops.tune_commands:throughput",
        "prove": "ops.tune_commands:prove",
    },
)
app = lazy_group(
    "Bring up, operate and audit the two-region alert pipeline.",
    {
        "demo": "ops.demo.command:demo",
        "audit": "ops.audit_command:audit_command",
        "local": _local,
        "formats": "ops.formats_commands:app",
        "routes": "ops.routes_commands:app",
        "connect": "ops.connect.command:connect",
        "heartbeats": "ops.heartbeats_commands:app",
        "parked": "ops.parked_commands:app",
        "alerts": _alerts,
        "why": "ops.runbook.why_command:why",
        "dlq": _dlq,
        "queue": _queue,
        "silence": "ops.silence_commands:app",
        "diagnose": "ops.runbook.diagnose_commands:app",
        "cache": _cache,
        "secrets": _secrets,
        "maintenance": _maintenance,
        "logs": _logs,
        "dashboard": "ops.runbook.dashboard_commands:dashboard",
        "deploy": _deploy,
        "health": _health,
        "contacts": "ops.runbook.contacts_command:show_contacts",
        "dr": _dr,
        "chaos": "ops.chaos_commands:app",
        "simulate": "simulator.cli:app",
        "tune": _tune,
        "load": "ops.load_command:load",
        "cost": "ops.cost_commands:app",
        "packages": "ops.local.commands:packages",
    },
)


def main(commands: Callable[[], object] = app) -> None:
    """Run the command line; an expected error or an interruption is one line on stderr.

    A command that knows what its interruption left behind raises KeyboardInterrupt with a text about it.
    """
    try:
        commands()
    except ExplainedError as error:
        _say_error(str(error))
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK_ERRORS and error.filename is None:
            raise
        _say_error(f"{error.filename or 'the output'}: {error.strerror}; it is needed to go on")
        sys.exit(1)
    except KeyboardInterrupt as interrupt:
        _say_interrupted(interrupt)
        sys.exit(INTERRUPTED_CODE)
    except _raised_by("asyncio", "CancelledError") as interrupt:
        _say_interrupted(interrupt)
        sys.exit(INTERRUPTED_CODE)
    except SystemExit as ended:
        # Typer makes Exit(130) of a KeyboardInterrupt; a command that prints its outcome by itself, and exits
        # with 130, has no such cause.
        cause = ended.__context__.__cause__ if ended.__context__ else None
        if isinstance(cause, KeyboardInterrupt):
            _say_interrupted(cause)
        raise
    except _raised_by("botocore.exceptions", "BotoCoreError", "ClientError") as error:
        _say_aws_error(error)
        sys.exit(1)


def _raised_by(module: str, *names: str) -> tuple[type[BaseException], ...]:
    """Exceptions of a module by name; none where no command has imported it, so that nobody raised them."""
    imported = sys.modules.get(module)
    return tuple(getattr(imported, name) for name in names) if imported else ()


def _say_aws_error(error: Any) -> None:
    from clients.aws import passes  # noqa: PLC0415 - slow, and where AWS was called it is there

    step = "`responder dr status` says whether the region answers" if passes(error) else "put it right"
    _say_error(f"{' '.join(str(error).split()).rstrip('.')}; {step}, then run it again")


def _say_error(text: str) -> None:
    """Print the line, if it can be, and give up on what could not be printed before."""
    with contextlib.suppress(OSError):
        typer.secho(f"error: {hinted(text)}", fg="red", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor to duplicate
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _say_interrupted(interrupt: BaseException) -> None:
    typer.secho(
        f"interrupted: {interrupt}" if interrupt.args else "interrupted; run it again to go on", err=True
    )
