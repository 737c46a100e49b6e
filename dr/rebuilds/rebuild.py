"""Rebuilding a stack in other regions from nothing but its backup bucket: fetched, deployed, filled, proven.

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
from dr.operations.adoption import settle
from dr.operations.journal import OperationFailedError, OperationRefusedError
from dr.operations.operation import Done, OnStep, Outcome, Step, Turn, perform, quiet
from dr.operations.outside import Outside
from dr.operations.proof import prove
from dr.rebuilds.folder import FolderLog, Kept, Wanted
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
    wanted: Wanted,
    *,
    deploy: Deploy,
    operator: str,
    on_step: OnStep = quiet,
    deadlines: RebuildDeadlines | None = None,
    outside: Outside | None = None,
) -> Rebuilt:
    """Rebuild, or go on with a rebuild whose `folder` it is; `objects` is the backup bucket.

    Steps and their facts: `fetch` (`exported_to`, `notes`); `deploy` (`regions`); `fill` (`written`,
    `already`); `compare` (`items`, `newer`, unless it was before); `own` (`moved`); `serve` (`alert_id`).

    Raises:
        OperationRefusedError: the backup is damaged or not complete, the regions will not do, or the folder
            is another rebuild's.
        OperationFailedError: a step failed; run it again. Whatever `deploy` raises, and the errors of
        `dr.exports.objects`, `dr.restores.table_items` and `dr.comparison.items`.
    """
    outside = outside or Outside()
    folder.mkdir(parents=True, exist_ok=True)
    kept = Kept.in_folder(folder, wanted)
    log = FolderLog(folder, operator=operator, now_ms=outside.clock.now_ms())
    run = _Run(objects, folder, kept, deploy, outside)
    steps = run.steps(deadlines or RebuildDeadlines())
    outcome = perform(steps, log, clock=outside.clock, on_step=on_step)
    return Rebuilt(plan=run.plan, deployment=run.deployment, outcome=outcome)


class _Run:
    """The steps, and what the first of them leave to the others: a plan and a deployment."""

    plan: RebuildPlan
    deployment: Deployment

    def __init__(self, objects: Objects, folder: Path, kept: Kept, deploy: Deploy, outside: Outside) -> None:
        self._objects, self._folder, self._kept = objects, folder, kept
        self._deploy, self._outside = deploy, outside

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
                act=lambda turn: reown(self.deployment, turn, former=self.plan.former),
            ),
            Step(
                name="serve",
                title="run Recovery until the open alerts are seen to; follow one of each region to Slack",
                deadline_s=limits.serve_s,
                act=lambda turn: _serve(self.deployment, turn, self._outside),
            ),
        )

    def _fetch(self, _turn: Turn) -> Done:
        wanted = self._kept.wanted
        self.plan = plan = prepare(
            self._objects,
            self._folder,
            region=wanted.region,
            failover_region=wanted.failover_region,
            date=wanted.date,
            roots=self._kept.roots,
        )
        exported_to = plan.exports.exported_to.isoformat()
        return Done(
            f"stack {plan.stack} as of {plan.date}; {len(plan.exports.exports)} exports, up to {exported_to}",
            {"exported_to": exported_to, "notes": list(plan.notes)},
        )

    def _make(self, _turn: Turn) -> Done:
        self.deployment = self._deploy(self.plan)
        found = tuple(endpoints.region for endpoints in self.deployment.regions)
        if found != self.plan.regions:
            # Nothing is ever filled into the lost stack's own tables.
            raise OperationRefusedError(
                f"the stack that was deployed is in {' and '.join(found)}, not in "
                f"{' and '.join(self.plan.regions)}; deploy with {self.plan.config_file}"
            )
        ledger = _identity(self.deployment)
        if self._kept.ledger not in {"", ledger}:
            raise OperationRefusedError(
                f"{self._folder} is of a rebuild of {self._kept.ledger}; now it is {ledger}: give "
                "another folder, so that the newest exports are taken"
            )
        return Done(f"deployed in {' and '.join(found)}", {"regions": list(found)})

    def _fill(self, turn: Turn) -> Done:
        if self._kept.compared:
            return Done("it was filled before", {"written": 0, "already": 0})
        # Newer exports may come before this is gone on with: one ledger is filled from one set.
        roots = tuple(export.root for export in self.plan.exports.exports)
        self._keep(ledger=_identity(self.deployment), roots=roots)
        return _fill(self.plan, self.deployment, turn)

    def _compare(self, _turn: Turn) -> Done:
        """Once alerts have a new owner they differ from the exports, and are worked on."""
        if self._kept.compared:
            return Done("it was compared before")
        done = _compare(self.plan, self.deployment)
        self._keep(compared=True)
        return done

    def _keep(self, **changes: Any) -> None:
        self._kept = replace(self._kept, **changes)
        self._kept.write(self._folder)


def _identity(deployment: Deployment) -> str:
    """Of the ledger: a table that was deleted and made again is another one."""
    table = deployment.clients.client("dynamodb", deployment.primary.region).describe_table(
        TableName=deployment.alerts_table
    )["Table"]
    return f"{table['TableArn']} of {table['CreationDateTime'].isoformat()}"


def _fill(plan: RebuildPlan, deployment: Deployment, turn: Turn) -> Done:
    def progress(done: int, every: int) -> None:
        turn.say(f"{done} of {every} alerts")
        if turn.left_s() < 0:
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
    return Done(
        f"{copied.written} alerts written, {copied.already} were there",
        {"written": copied.written, "already": copied.already},
    )


def _compare(plan: RebuildPlan, deployment: Deployment) -> Done:
    """Alerts that the new stack has taken in meanwhile are more than the exports have, and no mistake."""
    dynamodb = deployment.clients.client("dynamodb", deployment.primary.region)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=plan.folder) as scratch:
        there = spool_table(dynamodb, deployment.alerts_table, Path(scratch))
        found = compare(side_of(plan.exports, plan.folder), there, key=ALERTS.hash_key, scratch=plan.folder)
    wrong = [one for one in found.differences if one.kind != "extra"]
    if found.changed or found.missing or found.broken:
        named = ", ".join(f"{one.kind} {one.key}" for one in wrong[:NAMED])
        raise OperationFailedError(
            f"the ledger differs from the exports: {found.changed} changed, {found.missing} missing, "
            f"{found.broken} broken ({named})"
        )
    return Done(
        f"{found.left_items} alerts are as in the exports, {found.extra} are newer",
        {"items": found.left_items, "newer": found.extra},
    )


def _serve(deployment: Deployment, turn: Turn, outside: Outside) -> Done:
    settled = settle(deployment, turn)
    proofs = [prove(deployment, turn, endpoints=one, web=outside.web) for one in deployment.regions]
    return Done(
        "; ".join(one.detail for one in (settled, *proofs)), {"alert_id": proofs[0].facts["alert_id"]}
    )
