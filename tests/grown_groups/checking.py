"""Posts grown groups to the webhook, and looks in the ledger for each good member."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.intake.webhook import Request, Response
from handlers.domain.limits import MAX_ITEM_BYTES
from tests.grown_groups.growth import ID_PATHS, Good, Group, Payloads, grow
from tests.unit.handlers.builders import World, post
from topology.alerts import Status

ACCEPTED: Final = 202
IGNORED: Final = 200
_LISTED: Final = 20
_IDS: Final = (("event_id",), ("AlarmArn",), *ID_PATHS.values())
"""Where each format has the id of an event."""

Answer = Callable[[World, Request], Response]


@dataclass
class Tally:
    """What became of the groups. `lost`: good members without their row at work; `problems`: says which."""

    groups: int = 0
    members: int = 0
    good: int = 0
    ignored: int = 0
    refused: int = 0
    refused_whole: int = 0
    lost: int = 0
    unaccounted: int = 0
    spoilt: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Count in what became of other groups."""
        for name in (
            "groups",
            "members",
            "good",
            "ignored",
            "refused",
            "refused_whole",
            "lost",
            "unaccounted",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.spoilt.update(other.spoilt)
        self.problems = [*self.problems, *other.problems][:_LISTED]


def check_seeds(payloads: Payloads, seeds: Sequence[int], answer: Answer = World.answer) -> Tally:
    """What becomes of the groups of these seeds, each in a world of its own."""
    tally = Tally()
    for seed in seeds:
        one = check_group(grow(payloads, seed), answer)
        one.problems = [f"seed {seed}: {problem}" for problem in one.problems]
        tally.add(one)
    return tally


def check_group(group: Group, answer: Answer = World.answer) -> Tally:
    """What becomes of one group."""
    tally = Tally(groups=1, members=group.members or 0, spoilt=Counter(group.spoilt))
    tally.good = sum(good.times for good in group.good)
    world = World()
    headers = {} if group.key is None else {"idempotency_key": group.key}
    try:
        response = answer(world, post(group.body, **headers))
    except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on and names the seed
        response = Response(status=500, body={"error": repr(error)})
    if response.status == IGNORED and not tally.good and response.body["ignored"]:
        tally.ignored = 1
        return tally
    if response.status != ACCEPTED:
        tally.refused_whole, tally.lost = 1, tally.good
        if tally.good or response.status >= 500:
            tally.problems.append(f"{tally.good} good members answered {response.status}: {response.body}")
        return tally
    refused = response.body.get("refused", [])
    ignored = response.body.get("ignored_members", [])
    tally.refused, tally.ignored = len(refused), len(ignored)
    answered = {alert["alert_id"] for alert in response.body["alerts"]}
    rows = answered & world.ledger.rows.keys()
    if group.members is not None:
        tally.unaccounted = group.members + bool(refused) - len(rows) - len(refused) - len(ignored)
    if tally.unaccounted or len(rows) != len(response.body["alerts"]):
        tally.problems.append(f"{group.members} members, {len(answered)} rows, {len(refused)} refused")
    by_id = _by_event_id(world.ledger.rows.values())
    for good in group.good:
        if wrong := _wrong(good, by_id.get(good.event_id, [])):
            tally.lost += good.times
            tally.problems.append(f"{good.event_id}: {wrong}")
    large = [
        row.alert_id for row in world.ledger.rows.values() if len(msgspec.json.encode(row)) > MAX_ITEM_BYTES
    ]
    tally.problems += [f"{alert_id} is too large for the ledger" for alert_id in large]
    return tally


def _by_event_id(rows: Any) -> dict[str, list[Alert]]:
    """The rows by the id in the body's part for each, where it is whole."""
    found: dict[str, list[Alert]] = {}
    for row in rows:
        try:
            part = json.loads(row.raw)
        except json.JSONDecodeError:
            continue
        for event_id in (_at(part, path) for path in _IDS):
            if isinstance(event_id, str):
                found.setdefault(event_id, []).append(row)
    return found


def _at(part: Any, path: Sequence[str]) -> Any:
    for name in path:
        part = part.get(name) if isinstance(part, dict) else None
    return part


def _wrong(good: Good, rows: Sequence[Alert]) -> str | None:
    """What is wrong with the rows of a good member; None for nothing."""
    working = [row for row in rows if row.status is Status.RECEIVED]
    if len(rows) != good.times or not working:
        return f"rows {[(row.alert_id, row.status) for row in rows]}"
    for row in rows:
        if (row.title, row.severity) != (good.title, good.severity):
            return f"{row.title!r}, {row.severity} instead of {good.title!r}, {good.severity}"
        if not good.labels.items() <= row.labels.items():
            return f"labels {row.labels} instead of {good.labels}"
    return None
