"""The coordination table and the analysis cache, as one machine's handler reaches them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from handlers.domain.alert import Analysis
from handlers.domain.ports import CacheUnavailableError, CoordinationUnavailableError, Record
from simulator.machine import Machine
from simulator.scenario import Kind
from simulator.tables import Table
from topology.records import SLACK_RATE, incident_record

_TIMEOUT_MS: Final = (2_500, 3_500)
INCIDENT_RECORDS: Final = incident_record("", "").rstrip("#") + "#"
"""What the names of the incidents' records begin with."""

_ADDITIONS: Final = 3
"""As often as the adapter tries."""


class CoordinationPort:
    """`Coordination` for what runs in `machine`."""

    def __init__(self, machine: Machine, table: Table[Record]) -> None:
        """Its calls are made from the machine's region."""
        self._machine = machine
        self._table = table

    def read(self, name: str) -> Record | None:
        """See `Coordination`."""
        region, invocation = self._machine.region, self._machine.invocation

        self._may_fail(f"coordination.read {name}")
        draw = invocation.random
        return invocation.call(
            f"coordination.read {name}",
            lambda: self._table.read(region, name),
            out_ms=draw.randint(2, 20),
            back_ms=draw.randint(1, 10),
        )

    def read_many(self, names: Sequence[str]) -> dict[str, Record]:
        """See `Coordination`."""
        region, invocation = self._machine.region, self._machine.invocation

        def effect() -> dict[str, Record]:
            records = {name: self._table.read(region, name) for name in names}
            return {name: record for name, record in records.items() if record is not None}

        what = f"coordination.read_many {len(names)}"
        self._may_fail(what)
        draw = invocation.random
        return invocation.call(what, effect, out_ms=draw.randint(2, 20), back_ms=draw.randint(1, 10))

    def write(
        self, name: str, before: Record | None, values: Mapping[str, int], *, expires_at: int | None = None
    ) -> bool:
        """See `Coordination`. No run is so long that a record expires in it."""
        del expires_at
        version = before.version if before else 0
        new = Record(version=version + 1, values=dict(values))
        return self.put(name, new, lambda stored: (stored.version if stored else 0) == version)

    def add(self, name: str, number: int, *, window: int, expires_at: int) -> int:
        """See `Coordination`."""
        del expires_at
        begun = Record(version=1, values={"window": window, "count": number})

        def added(stored: Record | None) -> Record | None:
            if stored is None or stored.values["window"] < window:
                return None
            count = stored.values["count"] + number
            return Record(version=stored.version, values={**stored.values, "count": count})

        def begins(stored: Record | None) -> bool:
            return stored is None or stored.values["window"] < window

        for _ in range(_ADDITIONS):
            record = self.change(name, f"coordination.add {name} {number}", added)
            if record is not None:
                return record.values["count"]
            if self.put(name, begun, begins):
                return number
        raise CoordinationUnavailableError("simulated: begun by others")

    def put(self, name: str, new: Record, condition: Callable[[Record | None], bool]) -> bool:
        """Put a record over the stored one if that meets the `condition`. Whether it did."""
        what = f"coordination.write {name} {dict(new.values)}"
        return self.change(name, what, lambda stored: new if condition(stored) else None) is not None

    def change(self, name: str, what: str, change: Callable[[Record | None], Record | None]) -> Record | None:
        """Write what `change` makes of the stored record, and return it; None if it refuses."""
        region, invocation, world = self._machine.region, self._machine.invocation, self._machine.world
        asked_ms = world.now_ms

        def effect() -> Record | None:
            stored = self._table.read(region, name)
            new = change(stored)
            if new is None:
                return None
            self._table.write(region, name, new)
            if name.partition("#")[0] == SLACK_RATE:
                world.checker.posts.slot_reserved(invocation, asked_ms, stored, new, name=name)
            elif name.startswith(INCIDENT_RECORDS):
                world.checker.incidents.recorded(invocation, name, stored, new)
            return new

        self._may_fail(what)
        draw = invocation.random
        instead = None
        if invocation.fires("coordination_lost_answer"):
            invocation.coordination_errors += 1
            instead = (draw.randint(*_TIMEOUT_MS), CoordinationUnavailableError("simulated: no answer"))
        return invocation.call(
            what, effect, out_ms=draw.randint(2, 30), back_ms=draw.randint(1, 10), instead=instead
        )

    def _may_fail(self, what: str) -> None:
        world, invocation, region = self._machine.world, self._machine.invocation, self._machine.region
        cut = world.scenario.consistency == "strong" and world.active(Kind.PARTITION, region)
        down = cut or world.active(Kind.COORDINATION_DOWN, region)
        if down or invocation.fires("coordination_failed"):
            invocation.coordination_errors += 1
            error = CoordinationUnavailableError("simulated: out of reach")
            invocation.call(
                what, None, out_ms=0, instead=(invocation.random.choice((30, *_TIMEOUT_MS)), error)
            )


class CachePort:
    """`AnalysisCache` for what runs in `machine`. Its table is an eventual one always.

    An entry is an analysis, its expiry and when it was asked for, or an item where releases are mixed.
    """

    def __init__(self, machine: Machine, table: Table[Any]) -> None:
        """Its calls are made from the machine's region."""
        self._machine = machine
        self._table = table

    def get(self, signature: str, *, now_s: int) -> Analysis | None:
        """See `AnalysisCache`."""
        entry: tuple[Analysis, int, int] | None = self.read(signature)
        return entry[0] if entry is not None and entry[1] > now_s else None

    def put(self, signature: str, analysis: Analysis, *, asked_ms: int, expires_at: int) -> None:
        """See `AnalysisCache`."""
        self.write(
            signature, (analysis, expires_at, asked_ms), lambda stored: not stored or stored[2] <= asked_ms
        )

    def read(self, signature: str) -> Any:
        """The entry; None if there is none."""
        self._may_fail("cache.get")
        region = self._machine.region
        return self._machine.invocation.call(
            "cache.get", lambda: self._table.read(region, signature), out_ms=5, back_ms=3
        )

    def write(self, signature: str, entry: Any, condition: Callable[[Any], bool]) -> bool:
        """Put an entry over the one that is there, if that fulfils the condition; whether it does."""
        self._may_fail("cache.put")
        region = self._machine.region

        def effect() -> bool:
            holds = condition(self._table.read(region, signature))
            if holds:
                self._table.write(region, signature, entry)
            return holds

        written: bool = self._machine.invocation.call("cache.put", effect, out_ms=5, back_ms=3)
        return written

    def _may_fail(self, what: str) -> None:
        invocation = self._machine.invocation
        if self._machine.world.active(Kind.CACHE_DOWN, self._machine.region) or invocation.fires(
            "cache_failed"
        ):
            error = CacheUnavailableError("simulated: out of reach")
            invocation.call(what, None, out_ms=0, instead=(invocation.random.choice((30, 2_500)), error))
