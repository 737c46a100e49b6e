"""The watch: each minute in each region, Recovery looks whether what is expected has come, and tells if not.

What is expected are the heartbeats of sources, and the synthetic alerts of each region. An absence is told by
an alert of the project's own, and its end by a resolution, both through reception like anybody's. One record
for each thing says what was told, so that two regions and each run after make one alert; where they do not
see each other's, the alerts have one identity all the same. A thing has its whole time again where nobody has
looked for a while, or it was not watched for: so a region that comes back sees what the other has noted
before it says anything.

A record for each region, `watch_record`:

| value | meaning |
|---|---|
| `looked_ms` | when this region's Recovery last looked, epoch milliseconds |
| `slot` | the interval of the last synthetic alert that it sent |
| a thing, such as `heartbeat:watchdog` | since when it is watched for without a gap, epoch milliseconds |
| the same with `#every_s` | how often it is expected |

And one for each thing, `absence_record`, written by whichever region tells:

| value | meaning |
|---|---|
| `told` | 1 while people were told that it is missing, and not yet that it is back |
| `seen_ms` | when it was last there by then; 0 if it never was |
| `back_ms` | when the region whose turn it is not saw that it is back; 0 while it is not |
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.identity import body_hash_of
from handlers.domain.intake.reception import Reception, Submission
from handlers.domain.limits import ABSENCE_GRACE_S, ABSENCE_SECOND_LOOK_S, WATCH_GAP_S
from handlers.domain.ports import (
    Coordination,
    CoordinationUnavailableError,
    LedgerUnavailableError,
    Record,
)
from topology.alerts import RESPONDER, SYNTHETIC, FaultState, Severity
from topology.limits import DYNAMODB_BATCH_GET_MAX
from topology.records import absence_record, watch_record

_log = logging.getLogger(__name__)

LOOKED_MS: Final = "looked_ms"
SLOT: Final = "slot"
EVERY_S: Final = "#every_s"
TOLD: Final = "told"
SEEN_MS: Final = "seen_ms"
_BACK_MS: Final = "back_ms"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that is expected `every_s`, by its `key`.

    `sightings`: the records that say when it was there, of which the latest counts, and `value` names the
    time in them. `first`: whether it is this region's turn to tell of it before the other's. `title` and
    `advice` are what people are told.
    """

    key: str
    title: str
    advice: str
    severity: Severity
    every_s: int
    sightings: Sequence[str]
    value: str
    first: bool


class WatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did: absences and returns that it told of, and synthetic alerts that it sent."""

    missing: int = 0
    returned: int = 0
    synthetic: int = 0


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """One region's watch. `synthetic_interval_s`: between two synthetic alerts; 0 for none."""

    coordination: Coordination
    reception: Reception
    watched: Sequence[Watched]
    synthetic_interval_s: int

    def run(self, *, until_ms: int) -> WatchReport:
        """Look once at everything, until `until_ms`. What fails is left to the next run, in a minute."""
        now_ms = self.reception.clock.now_ms()
        own = watch_record(self.reception.region)
        try:
            records = self._read([own, *(name for one in self.watched for name in _names(one))])
            since = self._since(records.get(own), now_ms)
        except CoordinationUnavailableError:
            _log.warning("Nothing is watched for in this run", exc_info=True)
            return WatchReport()
        told = [self._look(one, records, since[one.key], until_ms) for one in self.watched]
        slot = self._sent(records.get(own), now_ms, until_ms)
        values = since | {f"{one.key}{EVERY_S}": one.every_s for one in self.watched}
        try:
            self.coordination.write(own, records.get(own), {**values, LOOKED_MS: now_ms, SLOT: slot})
        except CoordinationUnavailableError:
            _log.warning("That this region has looked was not noted", exc_info=True)
        return WatchReport(
            missing=told.count(FaultState.FIRING),
            returned=told.count(FaultState.RESOLVED),
            synthetic=int(slot != _value(records.get(own), SLOT)),
        )

    def _read(self, names: Sequence[str]) -> Mapping[str, Record]:
        starts = range(0, len(names), DYNAMODB_BATCH_GET_MAX)
        batches = [names[start : start + DYNAMODB_BATCH_GET_MAX] for start in starts]
        return {
            name: record for batch in batches for name, record in self.coordination.read_many(batch).items()
        }

    def _since(self, own: Record | None, now_ms: int) -> dict[str, int]:
        """Since when each thing is watched for; from now on where there was a gap, or it is new."""
        gap = now_ms - _value(own, LOOKED_MS) > WATCH_GAP_S * 1000
        return {one.key: now_ms if gap else _value(own, one.key) or now_ms for one in self.watched}

    def _look(
        self, one: Watched, records: Mapping[str, Record], since_ms: int, until_ms: int
    ) -> FaultState | None:
        """See to one thing; returns what was told of it."""
        now_ms, name = self.reception.clock.now_ms(), absence_record(one.key)
        before = records.get(name)
        told, told_ms = bool(_value(before, TOLD)), _value(before, SEEN_MS)
        seen_ms = max(_value(records.get(sighting), one.value) for sighting in one.sightings)
        due_ms = max(seen_ms, since_ms) + (one.every_s + ABSENCE_GRACE_S) * 1000
        turn_ms = due_ms + (0 if one.first else ABSENCE_SECOND_LOOK_S * 1000)
        try:
            if not told and now_ms >= turn_ms:
                self._tell(one, FaultState.FIRING, seen_ms, until_ms)
                self.coordination.write(name, before, {TOLD: 1, SEEN_MS: seen_ms})
                return FaultState.FIRING
            if told and seen_ms > told_ms and now_ms < due_ms:
                if one.first or _value(before, _BACK_MS):
                    self._tell(one, FaultState.RESOLVED, told_ms, until_ms)
                    self.coordination.write(name, before, {TOLD: 0, SEEN_MS: seen_ms})
                    return FaultState.RESOLVED
                self.coordination.write(name, before, {TOLD: 1, SEEN_MS: told_ms, _BACK_MS: now_ms})
        except (LedgerUnavailableError, CoordinationUnavailableError):
            _log.warning("What is missing, or back, was not told", extra={"watched": one.key}, exc_info=True)
        return None

    def _tell(self, one: Watched, state: FaultState, seen_ms: int, until_ms: int) -> None:
        """Have reception accept that it is missing since `seen_ms`, or back; the same in both regions."""
        began = _iso(seen_ms) if seen_ms else None
        firing = state is FaultState.FIRING
        alert = IncomingAlert(
            source=RESPONDER,
            title=one.title,
            severity=one.severity if firing else Severity.INFO,
            message=f"Expected every {one.every_s} s, last there {began or 'never'}. {one.advice}"
            if firing
            else "It is back.",
            part=_json({"what": one.key, "state": state, "last_seen": began}),
            started_at=began,
            episode=began,
            changed_at=_iso(seen_ms + one.every_s * 1000) if began and firing else None,
            state=state,
            event_id=one.key,
            status=state,
            labels={"watched": one.key},
        )
        rows = self._accepted(RESPONDER, alert, until_ms)
        _log.warning("Told of an absence", extra={"alert_id": rows, "watched": one.key, "state": state})

    def _sent(self, own: Record | None, now_ms: int, until_ms: int) -> int:
        """The interval of the last synthetic alert that was sent, with the one that is due."""
        last = _value(own, SLOT)
        slot = now_ms // (self.synthetic_interval_s * 1000) if self.synthetic_interval_s else last
        if slot == last:
            return last
        region = self.reception.region
        alert = IncomingAlert(
            source=f"{RESPONDER}-{SYNTHETIC}",
            title=f"Synthetic alert of {region}",
            severity=Severity.INFO,
            message="It shows that the way from reception to its channel is open.",
            part=_json({"region": region, "slot": slot}),
            event_id=f"{region}:{slot}",
        )
        try:
            self._accepted(SYNTHETIC, alert, until_ms)
        except LedgerUnavailableError:
            _log.warning("No synthetic alert was sent", exc_info=True)
            return last
        return slot

    def _accepted(self, body_format: str, alert: IncomingAlert, until_ms: int) -> list[str]:
        body_hash = body_hash_of(alert.part.encode())
        submission = Submission(format=body_format, alerts=(alert,), body_hash=body_hash)
        return [row.alert_id for row in self.reception.accept(submission, until_ms=until_ms)]


def _names(one: Watched) -> list[str]:
    return [absence_record(one.key), *one.sightings]


def _value(record: Record | None, name: str) -> int:
    return record.values.get(name, 0) if record else 0


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _json(part: Mapping[str, object]) -> str:
    return msgspec.json.encode(part).decode()
