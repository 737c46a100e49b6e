"""What people have besides Slack: silences that they make, a second way that finds them, and commands."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from handlers.domain.alert import Alert
from handlers.domain.moves import Actor
from handlers.domain.ports import CoordinationUnavailableError, EscalationError
from handlers.domain.states import acknowledged, check, redriven, snoozed
from simulator.ledger import Change, Store
from simulator.machine import Machine
from simulator.scenario import REGIONS, Kind, PlannedSilence
from simulator.scheduler import START_MS
from simulator.tables import Table
from simulator.wiring import CONFIG
from simulator.world import World
from topology.alerts import Status, parked_key, unacknowledged_key
from topology.silences import Silence, read_stored, stored_text

SILENCES: Final = "silences"
_SNOOZE_S: Final = 120
_ALERT_ID: Final = re.compile(r"\ba[0-9a-f]{32}(?:\.[0-9a-f]{8})?\b")


class SilencesPort:
    """`StoredSilences` for what runs in `machine`."""

    def __init__(self, machine: Machine, table: Table[str]) -> None:
        """It reads its region's replica."""
        self._machine = machine
        self._table = table

    def read(self) -> str:
        """See `StoredSilences`."""
        world, invocation, region = self._machine.world, self._machine.invocation, self._machine.region
        cut = world.scenario.consistency == "strong" and world.active(Kind.PARTITION, region)
        instead = None
        if cut or world.active(Kind.COORDINATION_DOWN, region) or invocation.fires("coordination_failed"):
            instead = (30, CoordinationUnavailableError("simulated: out of reach"))
        return invocation.call(
            "silences.read", lambda: self._table.read(region, SILENCES) or "", out_ms=5, instead=instead
        )


class Operator:
    """Somebody who silences, acknowledges and redrives, by the region that answers."""

    def __init__(self, world: World, store: Store, silences: Table[str]) -> None:
        """The scenario's silences are made and ended in their time."""
        self._world = world
        self._store = store
        self._silences = silences
        for plan in world.scenario.silences:
            world.scheduler.at(START_MS + plan.from_ms, self._making(plan))
            if plan.ended_ms is not None:
                world.scheduler.at(START_MS + plan.ended_ms, self._ending(plan))

    def redrive(self, region: str) -> None:
        """Every PARKED alert that `region` shows is RECEIVED again."""
        for row in self._under(region, parked_key):
            if row.status is Status.PARKED:
                after = redriven(row, due_at=self._now_s + CONFIG.lease_s)
                self._write(region, row, after, "redrives")

    def acknowledge(self, region: str, *, snooze: bool) -> None:
        """Everything that nobody has acknowledged yet, as `region` shows it."""
        people = self._world.checker.people
        for row in self._under(region, unacknowledged_key):
            if row.status is not Status.NOTIFIED:
                continue
            if snooze:
                until_s = self._now_s + _SNOOZE_S
                if self._write(region, row, snoozed(row, by="somebody", until=until_s), "snoozes"):
                    people.snoozed(row.alert_id, until_ms=until_s * 1000)
            elif self._write(region, row, acknowledged(row, by="somebody", at=self._now_s), "acknowledges"):
                people.acknowledged(row.alert_id)

    def _making(self, plan: PlannedSilence) -> Callable[[], None]:
        def make() -> None:
            for region in self._answering():
                known = read_stored(self._silences.read(region, SILENCES) or "[]")
                silence = Silence(
                    silence_id=plan.silence_id,
                    matcher=plan.matcher,
                    from_s=self._now_s,
                    until_s=(START_MS + plan.to_ms) // 1000,
                    reason="maintenance",
                    by="somebody",
                    critical=plan.critical,
                )
                self._silences.write(region, SILENCES, stored_text((*known, silence)))
                self._world.note("operator", f"makes {silence}")
                self._world.checker.people.made(plan)
                return

        return make

    def _ending(self, plan: PlannedSilence) -> Callable[[], None]:
        def end() -> None:
            for region in self._answering():
                known = read_stored(self._silences.read(region, SILENCES) or "[]")
                if plan.silence_id not in [silence.silence_id for silence in known]:
                    return
                kept = [self._ended(one) if one.silence_id == plan.silence_id else one for one in known]
                self._silences.write(region, SILENCES, stored_text(kept))
                self._world.note("operator", f"ends {plan.silence_id}")
                self._world.checker.people.ended(plan)
                return

        return end

    def _ended(self, silence: Silence) -> Silence:
        return replace(silence, until_s=self._now_s, due_s=(silence.until_s,))

    @property
    def _now_s(self) -> int:
        return self._world.now_ms // 1000

    def _answering(self) -> list[str]:
        """The regions that a command reaches."""
        world = self._world
        lost = (Kind.PARTITION, Kind.COORDINATION_DOWN, Kind.LEDGER_DOWN)
        return [
            region
            for region in REGIONS
            if not world.halted_ms(region) and not any(world.active(kind, region) for kind in lost)
        ]

    def _under(self, region: str, key_of: Callable[[str], str]) -> list[Alert]:
        """The rows that `region` shows under a key of either owner."""
        shown = [row for owner in REGIONS for row in self._store.under(region, key_of(owner))]
        rows = [self._store.table.read(region, row.alert_id) for row in shown]
        return [row for row in rows if row is not None]

    def _write(self, region: str, before: Alert, after: Alert, verb: str) -> bool:
        check(Actor.OPERATOR, before, after)
        change: Change = lambda stored: self._store.replaced(stored, before, after)  # noqa: E731 - typed
        written = self._store.change(region, before.alert_id, change)
        if written is None:
            return False
        self._world.note("operator", f"{verb} {before.alert_id}")
        self._world.checker.rows.wrote(None, Actor.OPERATOR, *written)
        return True


class EscalationPort:
    """`Escalation` for what runs in `machine`: the second way."""

    def __init__(self, machine: Machine, store: Store) -> None:
        """Each region has one of its own."""
        self._machine = machine
        self._store = store

    def publish(self, subject: str, text: str) -> None:
        """See `Escalation`."""
        invocation, world, region = self._machine.invocation, self._machine.world, self._machine.region

        def effect() -> None:
            for alert_id in dict.fromkeys(_ALERT_ID.findall(text)):
                row = self._store.table.read(region, alert_id)
                world.checker.people.publishing(row, alert_id, began_ms=invocation.started_ms)

        instead, sent = None, True
        if invocation.fires("escalation_failed"):
            instead, sent = (30, EscalationError("simulated: throttled")), False
        elif invocation.fires("escalation_lost_answer"):
            instead = (2_500, EscalationError("simulated: no answer"))
        what = f"escalation.publish {subject}"
        invocation.call(what, effect if sent else None, out_ms=20, back_ms=10, instead=instead)
