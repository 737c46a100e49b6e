"""Groups grown from real ones: their members, multiplied and mixed, spoilt ones among good ones."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from handlers.domain.formats import parse
from handlers.domain.limits import MAX_ALERTS_PER_BODY, MAX_BODY_BYTES
from handlers.domain.refusal import RefusedError
from tests.grown_groups.mutants import mutated, torn
from tests.grown_groups.spoilers import GROUPS, MEMBERS, Fields, any_value, encoded
from topology.alerts import FaultState, Severity

_WORDS: Final = {
    "critical": Severity.CRITICAL,
    "warning": Severity.MEDIUM,
    "info": Severity.INFO,
    "error": Severity.HIGH,
}
_BEFORE: Final = (b"", b"", b"\xef\xbb\xbf", b" \n")

_SINGLE: Final = 0.1
"""How often a body is one alert of another format."""

_LARGE: Final = 0.02
"""How often a group is as large as a body may be."""

_ALL_SPOILT: Final = 0.05
"""How often no member is good; else half of them are."""

_TWICE: Final = 0.05
"""How often a good member stands there twice."""

_SPOILT_GROUP: Final = 0.4
"""How often something is wrong around the members."""

_ANY_FORMAT: Final = 0.4
"""How often it is a body of any format, mutated, or good and mutated members of one."""

_GROUPED: Final = 0.3
"""How often that one has members."""

_TORN: Final = 0.1
"""How often the bytes of a mutated body are torn besides."""

_MAX_MIXED: Final = 12

ID_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "alerts": ("fingerprint",),
    "items": ("metadata", "uid"),
    "messages": ("incident", "id"),
}
"""The lists of members that formats have, and where each member has its id."""

_KEYED: Final = 0.1
"""How often a body comes with an `Idempotency-Key`."""


@dataclass(frozen=True, kw_only=True)
class Good:
    """A good member: its id, and what its row must say. `times`: how often it stands in its group."""

    event_id: str
    title: str
    severity: Severity
    labels: dict[str, str]
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Group:
    """A body, the good ones of its `members`, and by name how many of the others each spoiler made.

    `members` None: nobody can say how many there are.
    """

    body: bytes
    members: int | None
    good: tuple[Good, ...]
    spoilt: dict[str, int]
    key: str | None = None


@dataclass
class _Parts:
    """A body in the making; `room`: what its members may still have, in bytes."""

    room: int
    members: list[bytes] = field(default_factory=list)
    good: list[Good] = field(default_factory=list)
    spoilt: dict[str, int] = field(default_factory=dict)

    def add(self, content: bytes) -> bool:
        """Put a member in; False if there is no room."""
        if len(content) + 2 > self.room:
            return False
        self.room -= len(content) + 2
        self.members.append(content)
        return True


@dataclass(frozen=True, kw_only=True)
class Payloads:
    """What groups are grown from: Alertmanager's bodies, CloudWatch's alarms, and bodies of any format."""

    groups: Sequence[dict[str, Any]]
    alarms: Sequence[dict[str, Any]]
    bodies: Sequence[dict[str, Any]]


def read_payloads(folder: Path) -> Payloads:
    """The bodies of a folder and those below it; an alarm may be in an SNS envelope.

    Raises:
        ValueError: one of the two is missing.
    """
    documents = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))]
    bodies = [_opened(document) for document in documents if isinstance(document, dict)]
    groups = [body for body in bodies if body.get("version") == "4" and body.get("alerts")]
    alarms = [body for body in bodies if {"AlarmName", "NewStateValue"} <= body.keys()]
    if not groups or not alarms:
        raise ValueError(f"{folder} holds {len(groups)} bodies of Alertmanager 4, and {len(alarms)} alarms")
    return Payloads(groups=groups, alarms=alarms, bodies=bodies)


def _opened(document: dict[str, Any]) -> dict[str, Any]:
    message = document.get("Message", "")
    return json.loads(message) if isinstance(message, str) and message.startswith("{") else document


def grow(payloads: Payloads, seed: int) -> Group:
    """The group of a seed, or one alert of a format that has no groups."""
    random = Random(seed)  # noqa: S311 - for tests
    if random.random() < _ANY_FORMAT:
        return _any_format(random, payloads.bodies, f"{seed:016x}")
    single, alarm = random.random() < _SINGLE, random.random() < 0.5
    if single:
        return (_alarm if alarm else _generic)(random, payloads, f"{seed:016x}")
    groups = payloads.groups
    template = random.choice(groups)
    surroundings = {name: value for name, value in template.items() if name != "alerts"}
    fields: Fields = [(name, encoded(value)) for name, value in surroundings.items()]
    spoilt = {}
    if random.random() < _SPOILT_GROUP:
        name = random.choice(list(GROUPS))
        GROUPS[name](random, fields)
        spoilt[name] = 1
    large, all_spoilt = random.random() < _LARGE, random.random() < _ALL_SPOILT
    count = MAX_ALERTS_PER_BODY if large else random.choice((1, 2, 3, 5, 8, random.randint(1, 40)))
    frame = sum(len(name) + len(value) + 8 for name, value in fields) + 64
    parts = _Parts(room=MAX_BODY_BYTES - frame, spoilt=spoilt)
    real = [member for group in groups for member in group["alerts"]]
    for place in range(count):
        if len(parts.members) == count:
            break
        member = _own(random, random.choice(real), f"{seed:08x}{place:06x}")
        if all_spoilt or random.random() < 0.5:
            _add_spoilt(random, member, parts)
        elif parts.add(encoded(member)):
            parts.good.append(_expected(member))
            if (
                random.random() < _TWICE
                and len(parts.members) < MAX_ALERTS_PER_BODY
                and parts.add(encoded(member))
            ):
                parts.good[-1] = _expected(member, times=2)
    random.shuffle(parts.members)
    body = random.choice(_BEFORE) + _body(random, fields, parts.members)
    return Group(
        body=body.ljust(MAX_BODY_BYTES) if large else body,
        members=len(parts.members),
        good=tuple(parts.good),
        spoilt=parts.spoilt,
        key=f"key-{seed}" if random.random() < _KEYED else None,
    )


def _any_format(random: Random, bodies: Sequence[dict[str, Any]], event_id: str) -> Group:
    groups = [body for body in bodies if any(body.get(name) for name in ID_PATHS)]
    real = random.choice(groups if random.random() < _GROUPED else bodies)
    name = next((name for name in ID_PATHS if isinstance(real.get(name), list) and real[name]), None)
    if name is None or random.random() < _GROUPED:
        content = mutated(random, real, bodies)
        if random.random() < _TORN:
            content = torn(random, content)
        return Group(body=content, members=None, good=(), spoilt={"mutated body": 1})
    members: list[bytes] = []
    good: list[Good] = []
    for index in range(random.randint(1, _MAX_MIXED)):
        member = deepcopy(random.choice(real[name]))
        if random.random() < 0.5:
            members.append(mutated(random, member, bodies))
        elif _with_id(member, ID_PATHS[name], f"{event_id}-{index}"):
            members.append(encoded(member))
            good += _alone(real | {name: [member]}, f"{event_id}-{index}")
    rest = [(key, encoded(value)) for key, value in real.items() if key != name]
    body = _body(random, rest, members, name)
    if not members or len(body) > MAX_BODY_BYTES:
        return _any_format(random, bodies, event_id)
    return Group(body=body, members=len(members), good=tuple(good), spoilt={"mutated member": 1})


def _with_id(member: Any, path: tuple[str, ...], event_id: str) -> bool:
    """Give a member an id of its own, where it has one."""
    for part in path[:-1]:
        member = member.get(part) if isinstance(member, dict) else None
    if not isinstance(member, dict) or path[-1] not in member:
        return False
    member[path[-1]] = event_id
    return True


def _alone(body: dict[str, Any], event_id: str) -> list[Good]:
    """What a good member must say in its group, which is what it says alone; nothing if it is no alert."""
    try:
        alerts = parse(encoded(body), {}).alerts
    except RefusedError:
        return []
    return [
        Good(
            event_id=event_id,
            title=f"[RESOLVED] {alert.title}" if alert.state is FaultState.RESOLVED else alert.title,
            severity=alert.severity,
            labels=dict(alert.labels),
        )
        for alert in alerts
    ]


def _alarm(random: Random, payloads: Payloads, event_id: str) -> Group:
    """A real alarm, whatever else than its name and state is wrong with it."""
    alarm = random.choice(payloads.alarms) | {"AlarmArn": event_id, "NewStateValue": "ALARM"}
    good = Good(event_id=event_id, title=alarm["AlarmName"], severity=Severity.HIGH, labels={})
    return _spoilt_single(random, alarm, good, keep=("AlarmName", "NewStateValue", "AlarmArn"))


def _generic(random: Random, payloads: Payloads, event_id: str) -> Group:
    """A real member as a body of the project's own, with its severity and title as they should be."""
    member = _own(random, random.choice(random.choice(payloads.groups)["alerts"]), event_id)
    title, severity = member["labels"]["alertname"], member["labels"]["severity"]
    body = {"source": "grown", "title": title, "severity": severity, "event_id": event_id, "message": title}
    good = Good(event_id=event_id, title=title, severity=_WORDS[severity], labels={})
    return _spoilt_single(random, body, good, keep=("source", "title", "severity", "event_id"))


def _spoilt_single(random: Random, body: dict[str, Any], good: Good, *, keep: tuple[str, ...]) -> Group:
    fields: Fields = [(name, encoded(value)) for name, value in body.items() if name in keep]
    others = [*body, "component", "host", "labels", "link", "timestamp", "Trigger", "unknown"]
    names = [name for name in dict.fromkeys(others) if name not in keep]
    fields += [(name, any_value(random)) for name in random.sample(names, k=random.randint(1, len(names)))]
    random.shuffle(fields)
    written = b",".join(encoded(name) + b":" + value for name, value in fields)
    content = random.choice(_BEFORE) + b"{" + written + b"}"
    return Group(body=content, members=1, good=(good,), spoilt={"single body": 1})


def _own(random: Random, real: dict[str, Any], event_id: str) -> dict[str, Any]:
    """A copy of a real member with an id, a severity and a place of its own."""
    member = deepcopy(real)
    member["fingerprint"] = event_id
    member["labels"] |= {"severity": random.choice(list(_WORDS)), "instance": f"node-{random.randint(1, 99)}"}
    return member


def _expected(member: dict[str, Any], times: int = 1) -> Good:
    labels, annotations = member["labels"], member.get("annotations", {})
    title = ": ".join(text for text in (labels["alertname"], annotations.get("summary")) if text)
    resolved = member["status"] == "resolved"
    return Good(
        event_id=member["fingerprint"],
        title=f"[RESOLVED] {title}" if resolved else title,
        severity=Severity.INFO if resolved else _WORDS[labels["severity"]],
        labels=labels,
        times=times,
    )


def _add_spoilt(random: Random, member: dict[str, Any], parts: _Parts) -> None:
    name = random.choice(list(MEMBERS))
    if parts.add(MEMBERS[name](random, member)):
        parts.spoilt[name] = parts.spoilt.get(name, 0) + 1


def _body(random: Random, fields: Fields, members: Sequence[bytes], name: str = "alerts") -> bytes:
    separator = random.choice((b",", b", ", b",\n"))[:2]
    listed = encoded(name) + b":[" + separator.join(members) + b"]"
    written = [encoded(name) + b":" + value for name, value in fields]
    written.insert(random.randint(0, len(written)), listed)
    return b"{" + b",".join(written) + b"}"
