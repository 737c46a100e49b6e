"""The phases of a drill in which a bad writer spoils the ledger, and it is restored to the second before."""

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from dr.drill import bad_writer
from dr.drill.record import Damage, Moment, now_ms
from dr.drill.region_loss import decision_phase
from dr.drill.run import DrillFailedError, DrillRun, Phase
from dr.drill.tables import new_table
from dr.restores.repair import Plan, Repaired, apply_repair, plan_repair
from dr.restores.restore import Restored, Restorer
from dr.restores.settings import as_restored, read_settings
from topology.errors import ExplainedError

CHOSEN_WITHIN_S: Final = 120.0
SPREAD_WITHIN_S: Final = 30.0
DETECTED_WITHIN_S: Final = 60.0
RESTORED_WITHIN_S: Final = 120.0

_SCAN_EACH_S: Final = 1.0


def corruption_phases() -> tuple[Phase, ...]:
    """From the restore point until every row is verified to be as before."""
    return (
        Phase("restore point", "wait until alerts are at rest, and a second longer", _restore_point),
        Phase("fault", "a bad writer changes and deletes alerts at rest", _spoil),
        Phase("detection", "receipts are compared with the ledger until one has no row", _detect),
        decision_phase("restore"),
        Phase("restore", "point-in-time restore to the second before, into a new table", _restore),
        Phase("repair", "what the bad writer did is found by comparison and rolled back", _repair),
        Phase("verify", "every row is as it was, in both regions", _verify),
    )


def undo_damage(run: DrillRun) -> str | None:
    """Roll back what the bad writer did, where a drill ended before that was verified; which, or None.

    No instant is marked: it is no part of what was rehearsed.

    Raises:
        DrillFailedError: it cannot be; who has to do what.
    """
    if not _damage_remains(run):
        return None
    ids = _damage(run).ids
    try:
        if Moment.RESTORED not in run.file.state.moments:
            _restored(run)
        _repaired(run)
        run.until(
            lambda: not _unlike(run) or None,
            "every row is as it was, in both regions",
            within_s=SPREAD_WITHIN_S,
        )
    except (ExplainedError, DrillFailedError, BotoCoreError, ClientError) as error:
        raise DrillFailedError(
            f"{error}; {len(ids)} alerts may be as a bad writer left them, by id in `facts.damage` of the "
            f"JSON report: `responder dr restore --to {_restored_at(run).isoformat()}`, then `responder dr "
            "repair` with that table"
        ) from error
    run.file.note(damage_undone=True)
    return f"{len(ids)} rows are as they were at the restore point"


def kept_table(run: DrillRun) -> str | None:
    """The restored table that the ledger has still to be repaired from; None where there is none."""
    return run.file.state.facts.restored_table if _damage_remains(run) else None


def _restore_point(run: DrillRun) -> str:
    if run.file.state.facts.damage is None:
        damage = run.until(
            lambda: bad_writer.choose(run.target.deployment, run.receipts()),
            "enough alerts are at rest",
            within_s=CHOSEN_WITHIN_S,
            every_s=_SCAN_EACH_S,
        )
        run.file.note(damage=damage)
    at_ms = run.file.mark(Moment.RESTORE_POINT, (now_ms() // 1_000 + 1) * 1_000)
    run.until(
        lambda: now_ms() > at_ms + 1_000 or None, "the restore point is over", within_s=5.0, every_s=0.1
    )
    return f"restore point {datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()}"


def _spoil(run: DrillRun) -> str:
    deployment, damage = run.target.deployment, _damage(run)
    run.file.mark(Moment.FAULT)
    bad_writer.write(deployment, damage)
    begun = time.monotonic()
    run.until(
        lambda: bad_writer.seen_everywhere(deployment, damage) or None,
        "both regions show the damage",
        within_s=SPREAD_WITHIN_S,
    )
    return (
        f"{len(damage.changed)} alerts overwritten, {len(damage.broken)} with a status that there is not, "
        f"{len(damage.deleted)} deleted; in both regions within {time.monotonic() - begun:.1f} s"
    )


def _detect(run: DrillRun) -> str:
    missing = run.until(
        lambda: bad_writer.missing(run.target.deployment, run.receipts()) or None,
        "an alert that was answered 202 is missed",
        within_s=DETECTED_WITHIN_S,
        every_s=_SCAN_EACH_S,
    )
    at_ms = run.file.mark(Moment.DETECTED)
    after_s = (at_ms - run.file.state.moments[Moment.FAULT]) / 1_000
    return f"{len(missing)} alerts have no row, seen {after_s:.1f} s after the fault"


def _restore(run: DrillRun) -> str:
    restored = _restored(run)
    run.file.mark(Moment.RESTORED)
    return f"{restored.source} restored into {restored.table}"


def _restored(run: DrillRun) -> Restored:
    deployment, region = run.target.deployment, run.target.deployment.primary.region
    table = new_table(run, region, "repair")
    run.file.note(restored_table=table)
    wanted = read_settings(deployment.clients, region, deployment.alerts_table)
    restorer = Restorer(
        deployment, region, as_restored(replace(wanted, replicas=())), run.say, RESTORED_WITHIN_S
    )
    return restorer.to_time(_restored_at(run), target=table)


def _repair(run: DrillRun) -> str:
    plan, repaired = _repaired(run)
    run.file.mark(Moment.ACTED)
    strangers = sorted({row.alert_id for row in plan.rolled_back} - set(_damage(run).ids))
    if strangers:
        raise DrillFailedError(f"rolled back, and no bad writer was there: {', '.join(strangers)}")
    return (
        f"{len(repaired.rolled_back)} rows rolled back, {len(repaired.moved)} had moved, "
        f"{len(plan.people)} are for a person, {plan.by_themselves} differ as the pipeline makes them"
    )


def _repaired(run: DrillRun) -> tuple[Plan, Repaired]:
    deployment = run.target.deployment
    with tempfile.TemporaryDirectory(prefix="repair-", dir=run.target.run_dir) as folder:
        plan = plan_repair(
            deployment,
            deployment.primary.region,
            _table(run),
            as_of=_restored_at(run),
            folder=Path(folder),
            now_s=time.time(),
        )
        return plan, apply_repair(deployment, plan)


def _verify(run: DrillRun) -> str:
    wrong = _unlike(run)
    if wrong:
        raise DrillFailedError(f"not as before: {', '.join(wrong)}")
    missing = bad_writer.missing(run.target.deployment, run.receipts())
    if missing:
        raise DrillFailedError(f"without a row still: {', '.join(missing)}")
    run.file.mark(Moment.VERIFIED)
    return f"all {len(_damage(run).ids)} rows are as they were at the restore point, in both regions"


def _unlike(run: DrillRun) -> list[str]:
    """Rows of the bad writer that are not as in the restored table, each with its region."""
    deployment, ids = run.target.deployment, _damage(run).ids
    table = _table(run)
    wanted = bad_writer.read_items(deployment, deployment.primary.region, table, ids)
    wrong = []
    for endpoints in deployment.regions:
        rows = bad_writer.read_items(deployment, endpoints.region, deployment.alerts_table, ids)
        wrong += [
            f"{alert_id} in {endpoints.region}"
            for alert_id in ids
            if rows.get(alert_id) != wanted.get(alert_id)
        ]
    return wrong


def _damage_remains(run: DrillRun) -> bool:
    """Whether the bad writer wrote, and nobody verified that its work is undone."""
    moments, facts = run.file.state.moments, run.file.state.facts
    spoilt = facts.damage is not None and Moment.FAULT in moments
    return spoilt and Moment.VERIFIED not in moments and not facts.damage_undone


def _restored_at(run: DrillRun) -> datetime:
    return datetime.fromtimestamp(run.file.state.moments[Moment.RESTORE_POINT] / 1_000, UTC)


def _damage(run: DrillRun) -> Damage:
    damage = run.file.state.facts.damage
    assert damage is not None  # noqa: S101 - the phase `restore point` comes before
    return damage


def _table(run: DrillRun) -> str:
    table = run.file.state.facts.restored_table
    assert table is not None  # noqa: S101 - the phase `restore` comes before
    return table
