"""The world outside: sources that send alerts and keep receipts, and an operator who redrives."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from simulator.change_checks import Told
from simulator.fold_checks import Sent
from simulator.region import POISON_IDS, Region, Request, Response
from simulator.scenario import DEADLY_MARK, REFUSED_MARK, REGIONS, Arrival
from simulator.scheduler import START_MS
from simulator.world import World
from topology.alerts import Severity

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
    """Sends every arrival of the scenario until somebody takes it.

    `sent`: what reached a region; `receipts`: what was answered with 202.
    """

    def __init__(self, world: World, regions: dict[str, Region]) -> None:
        """Plan every arrival of the scenario."""
        self.world = world
        self.receipts: list[Told] = []
        self.sent: list[Sent] = []
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
                self._keep(arrival, region, response, sent_ms)

        sent_ms = world.now_ms
        source = "simulator" if len(arrival.tells_of) == 1 else "alertmanager"
        number = len(arrival.tells_of) + bool(arrival.spoilt)
        self.sent.append(Sent(at_ms=sent_ms, region=region, source=source, number=number))
        world.scheduler.after(_PATIENCE_MS, again)
        self._regions[region].answer(arrival.label, request_of(arrival), answered=answered)

    def _keep(self, arrival: Arrival, region: str, response: Response, sent_ms: int) -> None:
        self.world.note(arrival.label, f"{region} answers {response.status} {response.body}")
        if response.status != _ACCEPTED:
            self.world.checker.broken("alert_refused", f"{arrival.label}: {response.body}")
            return
        answered = {receipt["index"]: receipt["alert_id"] for receipt in response.body["alerts"]}
        refused = [member["index"] for member in response.body.get("refused", ())]
        if refused != list(range(arrival.spoilt)):
            self.world.checker.broken("member_refused", f"{arrival.label}: {refused}")
        for index, fault in enumerate(arrival.tells_of, arrival.spoilt):
            if index not in answered:
                self.world.checker.broken("lost_member", f"{arrival.label}: {index} of {response.body}")
                return
            told = Told(
                alert_id=answered[index],
                fault=fault,
                arrival=arrival,
                sent_ms=sent_ms,
                answered_ms=self.world.now_ms,
            )
            self.receipts.append(told)
            if self.world.scenario.consistency == "strong":
                self.world.checker.check_told(told, self.receipts)


def request_of(arrival: Arrival) -> Request:
    """The HTTP request of an arrival: the project's own format for one alert, Alertmanager's for several."""
    mark = mark_of(arrival)
    if len(arrival.tells_of) == 1:
        body: dict[str, object] = {
            "source": "simulator",
            "title": f"fault {arrival.tells_of[0]} {mark}",
            "message": f"it is over: {arrival.error}" if arrival.resolved else arrival.error,
            "host": arrival.host,
            "severity": str(arrival.severity),
            "status": "ok" if arrival.resolved else "down",
            "timestamp": arrival.stamp,
        }
        if not arrival.by_content:
            body["event_id"] = f"event {arrival.tells_of[0]}"
    else:
        alerts = [
            {
                "status": "resolved" if arrival.resolved else "firing",
                "startsAt": _iso(arrival.episode_ms),
                "endsAt": _iso(arrival.since_ms) if arrival.resolved else "0001-01-01T00:00:00Z",
                "labels": {
                    "alertname": f"fault {fault} {mark}",
                    "severity": str(arrival.severity),
                    "host": arrival.host,
                },
                "annotations": {"description": arrival.error},
                "fingerprint": f"{fault:016x}",
            }
            for fault in arrival.tells_of
        ]
        spoilt = list(range(arrival.spoilt))
        body = {"version": "4", "groupKey": arrival.stamp, "alerts": [*spoilt, *alerts]}
    headers = {"content-type": "application/json"}
    if arrival.keyed:
        # Each state of the faults has keys of its own; a body in other bytes has another.
        named = (arrival.tells_of[0], arrival.resolved, arrival.stamp)
        headers["idempotency-key"] = "-".join(map(str, named))
    return Request(headers=headers, body=msgspec.json.encode(body))


def _iso(at_ms: int) -> str:
    """A source's clock shows true time."""
    return datetime.fromtimestamp((START_MS + at_ms) / 1000, UTC).isoformat()


def mark_of(arrival: Arrival) -> str:
    """What in a title tells Slack that it refuses this alert, and Claude's caller that it dies of it."""
    if arrival.deadly:
        return DEADLY_MARK
    return REFUSED_MARK if arrival.refused else "plain"


def poison(region: Region, detail: int) -> None:
    """Put bodies that nobody can process into every work queue of a region."""
    for queue in region.queues.values():
        queue.put(POISON[detail], delay_ms=0, is_poison=True)
