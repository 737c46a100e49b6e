"""`responder dr drill --all`: every scenario on one stack, planted faults, a rebuild from its backups alone.

The scenarios run one after the other on the same stack, so that each finds what the one before rolled back.
Then the failover region's bucket is copied to a folder, the stack is taken down, and a second, empty embedded
AWS is given nothing but that folder.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from clients.deployment import Deployment
from dr.drill.page import seconds
from dr.drill.report import DrillReport
from dr.exports.objects import FolderObjects, fetch
from dr.exports.planted import run_all
from dr.exports.requests import bucket_of, start_export, wait_export
from dr.exports.sets import latest_set
from dr.operations.environment import Environment
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.operations.operation import StepEvent
from dr.rebuilds.embedded import deploy_plan
from dr.rebuilds.folder import RebuildRequest
from dr.rebuilds.plan import RebuildPlan
from dr.rebuilds.rebuild import rebuild
from emulator.client import Emulator
from ops.opened_stack import operator
from ops.tables import make_table, print_table

REGION: Final = "eu-west-1"
"""Where the rebuild goes: a region that the stack was never in."""

EXPORTED_WITHIN_S: Final = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """A line of the table at the end."""

    what: str
    passed: bool
    found: str
    took_s: float


def line_of(report: DrillReport) -> Line:
    """A drill's line."""
    outcome = (
        f"RTO {seconds(report.rto.total_s)}, accepted {report.load.accepted}, unaccounted "
        f"{report.rpo.alerts if report.audit else 'unknown'}"
    )
    missed = f"; {report.missed[0]}" if report.missed else ""
    return Line(report.scenario, report.passed, outcome + missed, report.took_s)


def copy_backups(deployment: Deployment, folder: Path, say: Say) -> FolderObjects:
    """Make one more export, and copy the failover region's whole backup bucket into `folder`."""
    region = deployment.failover.region
    arn = start_export(deployment, region, now=datetime.now(UTC))
    wait_export(deployment, region, arn, within_s=EXPORTED_WITHIN_S)
    bucket = bucket_of(deployment, region)
    copied = fetch(bucket, (info.key for info in bucket.listed("")), folder)
    say(f"the bucket {deployment.failover.backup_bucket} is copied: all that a rebuild gets")
    return copied


def planted_faults(backups: FolderObjects, folder: Path, table: str) -> Iterator[Line]:
    """Plant every fault into a copy of the newest export; a line for each, which must be reported by name."""
    newest = latest_set(backups, table, full_only=True).full
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        begun = time.monotonic()
        for planted in run_all(folder, newest.root, folder=Path(scratch)):
            findings = ", ".join(filter(None, planted.found)) or "nothing found"
            yield Line(f"fault: {planted.fault}", planted.named, findings, time.monotonic() - begun)
            begun = time.monotonic()


def rebuilt(backups: FolderObjects, folder: Path, say: Say) -> Line:
    """Rebuild on an empty embedded AWS that knows nothing but the backups."""
    begun = time.monotonic()
    started: list[Emulator] = []

    def deploy(plan: RebuildPlan) -> Deployment:
        started.append(Emulator.start(folder / "aws", regions=plan.regions))
        return deploy_plan(plan, started[0])

    def on_step(event: StepEvent) -> None:
        say(f"rebuild, {event.step}: {event.detail}")

    try:
        done = rebuild(
            backups,
            folder,
            RebuildRequest(region=REGION),
            deploy=deploy,
            operator=operator(),
            on_step=on_step,
            environment=Environment(),
        )
        outcome, passed = f"{' and '.join(done.plan.regions)}: {done.outcome.step('fill').detail}", True
    except (OperationFailedError, OperationRefusedError) as error:
        outcome, passed = str(error), False
    finally:
        for emulator in started:
            emulator.stop()
    return Line("rebuild", passed, outcome, time.monotonic() - begun)


def show(lines: list[Line], console: Console) -> None:
    """The one table."""
    table = make_table("exercise", "outcome", "what was found", "took", whole={"exercise", "outcome", "took"})
    for line in lines:
        outcome = "[green]passed[/]" if line.passed else "[bold red]FAILED[/]"
        table.add_row(escape(line.what), outcome, escape(line.found), f"{line.took_s:.0f} s")
    print_table(table, console)
