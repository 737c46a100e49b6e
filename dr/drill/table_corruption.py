"""The phases of a drill in which a bad writer spoils the ledger, and it is restored to the second before."""

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from dr.drill import bad_writer
from dr.drill.bad_writer import Damage
from dr.drill.play import DrillFailedError, Phase, Play
from dr.drill.record import Moment, now_ms
from dr.drill.region_loss import decision_phase
from dr.drill.tables import new_table
from dr.restores.repair import Plan, Repaired, apply_repair, plan_repair
from dr.restores.restore import Restored, Restorer
from dr.restores.settings import EVENTUAL, read_settings
from topology.errors import ExplainedError

DAMAGE: Final = "damage"
TABLE: Final = "restored_table"
UNDONE: Final = "damage_undone"
CHOSEN_WITHIN_S: Final = 120.0
SPREAD_WITHIN_S: Final = 30.0
DETECTED_WITHIN_S: Final = 60.0
RESTORED_WITHIN_S: Final = 120.0

_SCAN_EACH_S: Final = 1.0


def corruption_phases() -> tuple[Phase, ...]:
    """From the restore point to the proof that every row is back."""
    return (
        Phase("restore point", "wait until alerts are at rest, and a second longer", _restore_point),
        Phase("fault", "a bad writer changes and deletes alerts at rest", _spoil),
        Phase("detection", "receipts are compared with the ledger until one has no row", _detect),
        decision_phase("restore"),
        Phase("restore", "point-in-time restore to the second before, into a new table", _restore),
        Phase("repair", "what the bad writer did is found by comparison and put back", _repair),
        Phase("verify", "every row is as it was, in both regions", _verify),
    )


def undo_damage(play: Play) -> str | None:
    """Put back what the bad writer did, where a drill ended before it had proven so; which, or None.

    No instant is marked: it is no part of what was rehearsed.

    Raises:
        DrillFailedError: it cannot be; who has to do what.
    """
    if not _stands(play):
        return None
    ids = _damage(play).ids
    try:
        if Moment.RESTORED not in play.file.state.moments:
            _restored(play)
        _repaired(play)
        play.until(
            lambda: not _unlike(play) or None,
            "every row is as it was, in both regions",
            within_s=SPREAD_WITHIN_S,
        )
    except (ExplainedError, DrillFailedError, BotoCoreError, ClientError) as error:
        raise DrillFailedError(
            f"{error}; {len(ids)} alerts may be as a bad writer left them, by id in `facts.{DAMAGE}` of the "
            f"JSON report: `responder dr restore --to {_restored_at(play).isoformat()}`, then `responder dr "
            "repair` with that table"
        ) from error
    play.file.note(**{UNDONE: True})
    return f"{len(ids)} rows are as they were at the restore point"


def kept_table(play: Play) -> str | None:
    """The restored table that the ledger has still to be repaired from; None where there is none."""
    found: str | None = play.file.state.facts.get(TABLE)
    return found if _stands(play) else None


def _restore_point(play: Play) -> str:
    if DAMAGE not in play.file.state.facts:
        damage = play.until(
            lambda: bad_writer.choose(play.stage.deployment, play.receipts()),
            "enough alerts are at rest",
            within_s=CHOSEN_WITHIN_S,
            every_s=_SCAN_EACH_S,
        )
        play.file.note(**{DAMAGE: damage.as_fact})
    at_ms = play.file.mark(Moment.RESTORE_POINT, (now_ms() // 1_000 + 1) * 1_000)
    play.until(
        lambda: now_ms() > at_ms + 1_000 or None, "the restore point is over", within_s=5.0, every_s=0.1
    )
    return f"restore point {datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()}"


def _spoil(play: Play) -> str:
    deployment, damage = play.stage.deployment, _damage(play)
    play.file.mark(Moment.FAULT)
    bad_writer.write(deployment, damage)
    begun = time.monotonic()
    play.until(
        lambda: bad_writer.seen_everywhere(deployment, damage) or None,
        "both regions show the damage",
        within_s=SPREAD_WITHIN_S,
    )
    return (
        f"{len(damage.changed)} alerts overwritten, {len(damage.broken)} with a status that there is not, "
        f"{len(damage.deleted)} deleted; in both regions within {time.monotonic() - begun:.1f} s"
    )


def _detect(play: Play) -> str:
    missing = play.until(
        lambda: bad_writer.missing(play.stage.deployment, play.receipts()) or None,
        "an alert that was answered 202 is missed",
        within_s=DETECTED_WITHIN_S,
        every_s=_SCAN_EACH_S,
    )
    at_ms = play.file.mark(Moment.DETECTED)
    after_s = (at_ms - play.file.state.moments[Moment.FAULT]) / 1_000
    return f"{len(missing)} alerts have no row, seen {after_s:.1f} s after the fault"


def _restore(play: Play) -> str:
    restored = _restored(play)
    play.file.mark(Moment.RESTORED)
    return f"{restored.source} restored into {restored.table}"


def _restored(play: Play) -> Restored:
    deployment, region = play.stage.deployment, play.stage.deployment.primary.region
    target = new_table(play, region, "repair")
    play.file.note(**{TABLE: target})
    wanted = read_settings(deployment.clients, region, deployment.alerts_table)
    restorer = Restorer(
        deployment, region, replace(wanted, replicas=(), consistency=EVENTUAL), play.say, RESTORED_WITHIN_S
    )
    return restorer.to_time(_restored_at(play), target=target)


def _repair(play: Play) -> str:
    plan, repaired = _repaired(play)
    play.file.mark(Moment.ACTED)
    strangers = sorted({row.alert_id for row in plan.put_back} - set(_damage(play).ids))
    if strangers:
        raise DrillFailedError(f"put back, and no bad writer was there: {', '.join(strangers)}")
    return (
        f"{len(repaired.put_back)} rows put back, {len(repaired.moved)} had moved, {len(plan.people)} are "
        f"for a person, {plan.by_themselves} differ as the pipeline makes them"
    )


def _repaired(play: Play) -> tuple[Plan, Repaired]:
    deployment = play.stage.deployment
    with tempfile.TemporaryDirectory(prefix="repair-", dir=play.stage.run_dir) as folder:
        plan = plan_repair(
            deployment,
            deployment.primary.region,
            play.file.state.facts[TABLE],
            as_of=_restored_at(play),
            folder=Path(folder),
            now_s=time.time(),
        )
        return plan, apply_repair(deployment, plan)


def _verify(play: Play) -> str:
    wrong = _unlike(play)
    if wrong:
        raise DrillFailedError(f"not as before: {', '.join(wrong)}")
    missing = bad_writer.missing(play.stage.deployment, play.receipts())
    if missing:
        raise DrillFailedError(f"without a row still: {', '.join(missing)}")
    play.file.mark(Moment.PROVEN)
    return f"all {len(_damage(play).ids)} rows are as they were at the restore point, in both regions"


def _unlike(play: Play) -> list[str]:
    """Rows of the bad writer that are not as in the restored table, each with its region."""
    deployment, ids = play.stage.deployment, _damage(play).ids
    table = play.file.state.facts[TABLE]
    wanted = bad_writer.read_items(deployment, deployment.primary.region, table, ids)
    wrong = []
    for endpoints in deployment.regions:
        rows = bad_writer.read_items(deployment, endpoints.region, deployment.alerts_table, ids)
        wrong += [f"{one} in {endpoints.region}" for one in ids if rows.get(one) != wanted.get(one)]
    return wrong


def _stands(play: Play) -> bool:
    """Whether the bad writer was let loose, and nobody proved its work undone."""
    moments, facts = play.file.state.moments, play.file.state.facts
    spoilt = DAMAGE in facts and Moment.FAULT in moments
    return spoilt and Moment.PROVEN not in moments and UNDONE not in facts


def _restored_at(play: Play) -> datetime:
    return datetime.fromtimestamp(play.file.state.moments[Moment.RESTORE_POINT] / 1_000, UTC)


def _damage(play: Play) -> Damage:
    return Damage.of_fact(play.file.state.facts[DAMAGE])
