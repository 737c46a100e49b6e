"""What every part of one run shares: its time, scenario and faults, its history and its invariant checker."""

import hashlib
from collections import Counter
from random import Random
from typing import Final

from simulator.checker import InvariantChecker
from simulator.history import History
from simulator.scenario import FAULTS, REGIONS, Incident, Kind, Scenario
from simulator.scheduler import START_MS, Scheduler

_STOPPING: Final = (Kind.REGION_DOWN, Kind.REGION_FROZEN)


class World:
    """The time, scenario, faults, history and checker of one run."""

    def __init__(self, scenario: Scenario, history: History) -> None:
        """Begin at the start of virtual time."""
        self.scenario = scenario
        self.history = history
        self.scheduler = Scheduler()
        self.horizon_ms = START_MS + scenario.horizon_ms
        self.checker = InvariantChecker(scenario, self.scheduler, history)
        self.fired: dict[str, None] = {}
        """The single faults that fired, in order."""
        self.counts: Counter[str] = Counter()
        self._incidents: dict[Kind, list[Incident]] = {kind: [] for kind in Kind}
        for incident in scenario.incidents:
            self._incidents[incident.kind].append(incident)
        self._stopping = any(self._incidents[kind] for kind in _STOPPING)
        self.odds = {name: odds for name in FAULTS if (odds := getattr(scenario.faults, name))}
        """How probable each fault is that can fire at all; none can once the horizon has passed."""
        self.scheduler.at(self.horizon_ms, self.odds.clear)

    @property
    def now_ms(self) -> int:
        """True time, which no machine's clock shows exactly."""
        return self.scheduler.now_ms

    def note(self, who: str, what: str) -> None:
        """Add a line to the history."""
        self.history.add(self.scheduler.now_ms, who, what)

    def random(self, name: str) -> Random:
        """A stream of its own for whoever is called `name`, whatever else happens in the run."""
        digest = hashlib.blake2b(f"{self.scenario.seed}:{name}".encode(), digest_size=8).digest()
        return Random(int.from_bytes(digest))  # noqa: S311 - not for secrets

    def active(self, kind: Kind, region: str | None = None) -> Incident | None:
        """The incident of this kind that is on now (and is `region`'s, if given); None if there is none."""
        incidents = self._incidents[kind]
        if not incidents:
            return None
        at_ms = self.scheduler.now_ms - START_MS
        for incident in incidents:
            if incident.from_ms <= at_ms < incident.to_ms and region in (None, incident.region):
                return incident
        return None

    def halted_ms(self, region: str) -> int:
        """How long nothing will run in `region` from now on, as it is down or frozen; 0 if it runs."""
        if not self._stopping:
            return 0
        return max(self.left_ms(self.active(kind, region)) for kind in _STOPPING)

    def replication_halted_ms(self) -> int:
        """How long nothing will go from one replica to the other from now on; 0 if it does."""
        incidents = [self.active(Kind.REPLICATION_PAUSED), self.active(Kind.PARTITION)]
        incidents += [self.active(Kind.REGION_DOWN, region) for region in REGIONS]
        return max(self.left_ms(incident) for incident in incidents)

    def fires(self, fault: str, key: str) -> bool:
        """Whether a single fault that was drawn fires: it does unless it is left out."""
        allowed = self.scenario.allowed
        if allowed is not None and key not in allowed:
            return False
        self.fired[key] = None
        self.counts[fault] += 1
        self.note("fault", key)
        return True

    def left_ms(self, incident: Incident | None) -> int:
        """How long an incident that is on goes on; 0 for none."""
        return 0 if incident is None else START_MS + incident.to_ms - self.scheduler.now_ms
