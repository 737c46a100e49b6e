"""The world outside: sources that send alerts and keep receipts, and an operator who redrives."""

from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.states import Actor, check, redriven
from simulator.ledger import Change, Store
from simulator.region import POISON_IDS, Region, Request, Response
from simulator.scenario import DEADLY_MARK, REFUSED_MARK, REGIONS, Arrival
from simulator.scheduler import START_MS
from simulator.wiring import CONFIG
from simulator.world import World
from topology.alerts import Severity, Status, parked_key

_MAX_TRIES: Final = 6
_ACCEPTED: Final = 202
_REFUSED: Final = range(400, 500)
_PATIENCE_MS: Final = 12_000
CANARY_AFTER_MS: Final = 420_000
"""After the last fault: later than a circuit that was opened last minute closes again."""

CANARY: Final = Arrival(
    label="canary", at_ms=0, region=REGIONS[0], tells_of=(999_999,), severity=Severity.HIGH
)
POISON: Final = ("not json", f'{{"alert_id": "{POISON_IDS[0]}"}}')


class Sources:
    """Sends every arrival of the scenario until somebody takes it. `receipts`: the ids answered with 202."""

    def __init__(self, world: World, regions: dict[str, Region]) -> None:
        """Plan every arrival of the scenario."""
        self.world = world
        self.receipts: dict[str, str] = {}
        """Alert id to the label of the arrival that it was answered to."""
        self._regions = regions
        for arrival in world.scenario.arrivals:
            self._plan(arrival, START_MS + arrival.at_ms)
        if world.scenario.canary:
            self._plan(CANARY, world.horizon_ms + CANARY_AFTER_MS)

    def _plan(self, arrival: Arrival, at_ms: int) -> None:
        self.world.scheduler.at(at_ms, lambda: self._send(arrival, 0))

    def _send(self, arrival: Arrival, tries: int) -> None:
        """Send it to its region, the next time to the other; after a few times a source gives up."""
        if tries >= _MAX_TRIES:
            return
        world = self.world
        region = REGIONS[(REGIONS.index(arrival.region) + tries) % len(REGIONS)]
        draw = world.random(f"source {arrival.label} {tries}")
        over: list[None] = []

        def again() -> None:
            if not over:
                over.append(None)
                world.scheduler.after(draw.randint(200, 6_000), lambda: self._send(arrival, tries + 1))

        if world.halted_ms(region):
            world.note(arrival.label, f"{region} does not answer")
            world.scheduler.after(draw.choice((5, 3_000)), again)
            return
        lost = draw.random() < world.odds.get("answer_lost", 0) and world.fires(
            "answer_lost", f"{arrival.label}:{tries}:answer_lost"
        )

        def answered(response: Response | None) -> None:
            if over or lost:
                again()
            elif response is None or response.status not in (_ACCEPTED, *_REFUSED):
                world.note(arrival.label, f"{region} answers {response.status if response else 502}")
                again()
            else:
                over.append(None)
                self._keep(arrival, region, response)

        world.scheduler.after(_PATIENCE_MS, again)
        self._regions[region].answer(arrival.label, request_of(arrival), answered=answered)

    def _keep(self, arrival: Arrival, region: str, response: Response) -> None:
        self.world.note(arrival.label, f"{region} answers {response.status} {response.body}")
        if response.status != _ACCEPTED:
            self.world.checker.broken("alert_refused", f"{arrival.label}: {response.body}")
            return
        for receipt in response.body["alerts"]:
            self.receipts[receipt["alert_id"]] = arrival.label


def request_of(arrival: Arrival) -> Request:
    """The HTTP request of an arrival: the project's own format for one alert, Alertmanager's for several."""
    mark = mark_of(arrival)
    if len(arrival.tells_of) == 1:
        body: dict[str, object] = {
            "source": "simulator",
            "title": f"fault {arrival.tells_of[0]} {mark}",
            "message": "something broke",
            "severity": str(arrival.severity),
        }
        if not arrival.by_content:
            body["event_id"] = f"event {arrival.tells_of[0]}"
    else:
        alerts = [
            {
                "status": "firing",
                "startsAt": "2026-11-23T07:00:00Z",
                "labels": {"alertname": f"fault {fault} {mark}", "severity": str(arrival.severity)},
                "fingerprint": f"{fault:016x}",
            }
            for fault in arrival.tells_of
        ]
        body = {"version": "4", "alerts": alerts}
    headers = {"content-type": "application/json"}
    if arrival.keyed:
        headers["idempotency-key"] = f"key {arrival.tells_of[0]}".replace(" ", "-")
    return Request(headers=headers, body=msgspec.json.encode(body))


def mark_of(arrival: Arrival) -> str:
    """What in a title tells Slack that it refuses this alert, and Claude's caller that it dies of it."""
    if arrival.deadly:
        return DEADLY_MARK
    return REFUSED_MARK if arrival.refused else "plain"


def redrive_parked(world: World, store: Store, region: str) -> None:
    """What the operator's command does: every PARKED alert that `region` shows is RECEIVED again."""
    for owner in REGIONS:
        for shown in store.under(region, parked_key(owner)):
            before = store.table.read(region, shown.alert_id)
            if before is None or before.status is not Status.PARKED:
                continue
            after = redriven(before, due_at=world.now_ms // 1000 + CONFIG.lease_s)
            check(Actor.OPERATOR, before, after)
            written = store.change(region, before.alert_id, _replacing(store, before, after))
            if written is not None:
                world.note("operator", f"redrives {before.alert_id}")
                world.checker.rows.wrote(None, Actor.OPERATOR, *written)


def _replacing(store: Store, before: Alert, after: Alert) -> Change:
    return lambda stored: store.replaced(stored, before, after)


def poison(region: Region, detail: int) -> None:
    """Put bodies that nobody can process into every work queue of a region."""
    for queue in region.queues.values():
        queue.put(POISON[detail], delay_ms=0, is_poison=True)
