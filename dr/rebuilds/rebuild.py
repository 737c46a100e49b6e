"""Rebuilding a stack in other regions from nothing but its backup bucket: fetched, deployed, filled, checked.

`responder dr rebuild` and the drills run it. Each step may be done again: what is there is left alone.
How it got on is in its folder, see `dr.rebuilds.folder`, since there is no stack yet to keep a journal.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from clients.deployment import Deployment
from dr.comparison.items import compare
from dr.exports.objects import Objects
from dr.exports.sets import side_of
from dr.operations.drain import wait_until_at_rest
from dr.operations.environment import Environment
from dr.operations.facts import BackupFacts, ComparisonFacts, DeployFacts, FillFacts
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.operations.operation import OnStep, Outcome, Step, StepContext, StepResult, no_op, perform
from dr.operations.service_check import post_test_alert
from dr.rebuilds.folder import FolderJournal, RebuildRecord, RebuildRequest
from dr.rebuilds.plan import RebuildPlan, prepare
from dr.rebuilds.reowning import reown
from dr.restores.table_items import copy_items, spool_table
from topology.tables import ALERTS

PROGRESS: Final = "copied.json"
NAMED: Final = 5

Deploy = Callable[[RebuildPlan], Deployment]
"""Makes the planned stack, or finds it where it was made before; with its secrets put."""


@dataclass(frozen=True, kw_only=True)
class RebuildDeadlines:
    """Seconds that each step may take. It is the data that takes time."""

    fetch_s: int = 7_200
    deploy_s: int = 1_800
    fill_s: int = 43_200
    compare_s: int = 7_200
    own_s: int = 3_600
    serve_s: int = 1_200


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """The stack that there is now."""

    plan: RebuildPlan
    deployment: Deployment
    outcome: Outcome


def rebuild(
    objects: Objects,
    folder: Path,
    request: RebuildRequest,
    *,
    deploy: Deploy,
    operator: str,
    on_step: OnStep = no_op,
    deadlines: RebuildDeadlines | None = None,
    environment: Environment | None = None,
) -> Rebuilt:
    """Rebuild, or go on with a rebuild whose `folder` it is; `objects` is the backup bucket.

    Steps, and what they find: `fetch` (`BackupFacts`); `deploy` (`DeployFacts`); `fill` (`FillFacts`);
    `compare` (`ComparisonFacts`, unless it was compared before); `own` (`OwnershipFacts`); `serve`
    (`DeliveryFacts`, of the primary region).

    Raises:
        OperationRefusedError: the backup is damaged or not complete, the regions will not do, or the folder
            is another rebuild's.
        OperationFailedError: a step failed; run it again. Whatever `deploy` raises, and the errors of
        `dr.exports.objects`, `dr.restores.table_items` and `dr.comparison.items`.
    """
    environment = environment or Environment()
    folder.mkdir(parents=True, exist_ok=True)
    record = RebuildRecord.in_folder(folder, request)
    journal = FolderJournal(folder, operator=operator, now_ms=environment.clock.now_ms())
    run = _Run(objects, folder, record, deploy, environment)
    steps = run.steps(deadlines or RebuildDeadlines())
    outcome = perform(steps, journal, clock=environment.clock, on_step=on_step)
    return Rebuilt(plan=run.plan, deployment=run.deployment, outcome=outcome)


class _Run:
    """The acts of the steps, and what earlier ones leave to later ones: a plan and a deployment."""

    plan: RebuildPlan
    deployment: Deployment

    def __init__(
        self, objects: Objects, folder: Path, record: RebuildRecord, deploy: Deploy, environment: Environment
    ) -> None:
        self._objects, self._folder, self._record = objects, folder, record
        self._deploy, self._environment = deploy, environment

    def steps(self, limits: RebuildDeadlines) -> tuple[Step, ...]:
        return (
            Step(
                name="fetch",
                title="fetch configuration, packages and exports, and check them",
                deadline_s=limits.fetch_s,
                act=self._fetch,
            ),
            Step(
                name="deploy",
                title="deploy the same program in its new regions",
                deadline_s=limits.deploy_s,
                act=self._make,
            ),
            Step(
                name="fill",
                title="copy the exported alerts into the empty ledger",
                deadline_s=limits.fill_s,
                act=self._fill,
            ),
            Step(
                name="compare",
                title="compare the ledger with the exports, item by item",
                deadline_s=limits.compare_s,
                act=self._compare,
            ),
            Step(
                name="own",
                title="give the open alerts to the new primary region",
                deadline_s=limits.own_s,
                act=lambda context: reown(self.deployment, context, former=self.plan.former),
            ),
            Step(
                name="serve",
                title="run Recovery until the open alerts are processed; follow a test alert in each",
                deadline_s=limits.serve_s,
                act=lambda context: _serve(self.deployment, context, self._environment),
            ),
        )

    def _fetch(self, _context: StepContext) -> StepResult:
        request = self._record.request
        self.plan = plan = prepare(
            self._objects,
            self._folder,
            region=request.region,
            failover_region=request.failover_region,
            date=request.date,
            roots=self._record.roots,
        )
        exported_to = plan.exports.exported_to.isoformat()
        return StepResult(
            f"stack {plan.stack} as of {plan.date}; {len(plan.exports.exports)} exports, up to {exported_to}",
            BackupFacts(exported_to=exported_to, notes=plan.notes),
        )

    def _make(self, _context: StepContext) -> StepResult:
        self.deployment = self._deploy(self.plan)
        regions = tuple(endpoints.region for endpoints in self.deployment.regions)
        if regions != self.plan.regions:
            # Nothing is ever filled into the lost stack's own tables.
            raise OperationRefusedError(
                f"the stack that was deployed is in {' and '.join(regions)}, not in "
                f"{' and '.join(self.plan.regions)}; deploy with {self.plan.config_file}"
            )
        ledger = _identity(self.deployment)
        if self._record.ledger not in {"", ledger}:
            raise OperationRefusedError(
                f"{self._folder} is of a rebuild of {self._record.ledger}; now it is {ledger}: give "
                "another folder, so that the newest exports are taken"
            )
        return StepResult(f"deployed in {' and '.join(regions)}", DeployFacts(regions=regions))

    def _fill(self, context: StepContext) -> StepResult:
        if self._record.compared:
            return StepResult("it was filled before", FillFacts(written=0, already=0))
        # Newer exports may come before this is gone on with: one ledger is filled from one set.
        roots = tuple(export.root for export in self.plan.exports.exports)
        self._update(ledger=_identity(self.deployment), roots=roots)
        return _fill(self.plan, self.deployment, context)

    def _compare(self, _context: StepContext) -> StepResult:
        """Once alerts have a new owner they differ from the exports, and are worked on."""
        if self._record.compared:
            return StepResult("it was compared before")
        done = _compare(self.plan, self.deployment)
        self._update(compared=True)
        return done

    def _update(self, **changes: Any) -> None:
        self._record = replace(self._record, **changes)
        self._record.write(self._folder)


def _identity(deployment: Deployment) -> str:
    """Of the ledger: a table that was deleted and made again is another one."""
    table = deployment.clients.client("dynamodb", deployment.primary.region).describe_table(
        TableName=deployment.alerts_table
    )["Table"]
    return f"{table['TableArn']} of {table['CreationDateTime'].isoformat()}"


def _fill(plan: RebuildPlan, deployment: Deployment, context: StepContext) -> StepResult:
    def progress(done: int, every: int) -> None:
        context.say(f"{done} of {every} alerts")
        if context.left_s() < 0:
            raise OperationFailedError(f"{done} of {every} alerts are copied; run it again to go on")

    copied = copy_items(
        side_of(plan.exports, plan.folder),
        dynamodb=deployment.clients.client("dynamodb", deployment.primary.region),
        table=deployment.alerts_table,
        key=ALERTS.hash_key,
        progress_file=plan.folder / PROGRESS,
        progress=progress,
    )
    if copied.conflicting:
        raise OperationRefusedError(
            f"the new ledger has other alerts under {len(copied.conflicting)} ids of the backup, such as "
            f"{', '.join(copied.conflicting[:NAMED])}: it was not empty; deploy a fresh stack"
        )
    return StepResult(
        f"{copied.written} alerts written, {copied.already} were there",
        FillFacts(written=copied.written, already=copied.already),
    )


def _compare(plan: RebuildPlan, deployment: Deployment) -> StepResult:
    """Alerts that the new stack has taken in meanwhile are more than the exports have, and no mistake."""
    dynamodb = deployment.clients.client("dynamodb", deployment.primary.region)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=plan.folder) as scratch:
        there = spool_table(dynamodb, deployment.alerts_table, Path(scratch))
        comparison = compare(
            side_of(plan.exports, plan.folder), there, key=ALERTS.hash_key, scratch=plan.folder
        )
    wrong = [difference for difference in comparison.differences if difference.kind != "extra"]
    if comparison.changed or comparison.missing or comparison.broken:
        named = ", ".join(f"{difference.kind} {difference.key}" for difference in wrong[:NAMED])
        raise OperationFailedError(
            f"the ledger differs from the exports: {comparison.changed} changed, "
            f"{comparison.missing} missing, {comparison.broken} broken ({named})"
        )
    return StepResult(
        f"{comparison.left_items} alerts are as in the exports, {comparison.extra} are newer",
        ComparisonFacts(items=comparison.left_items, newer=comparison.extra),
    )


def _serve(deployment: Deployment, context: StepContext, environment: Environment) -> StepResult:
    rest = wait_until_at_rest(deployment, context)
    tests = [
        post_test_alert(deployment, context, endpoints=endpoints, web=environment.web)
        for endpoints in deployment.regions
    ]
    return StepResult("; ".join(result.detail for result in (rest, *tests)), tests[0].facts)
