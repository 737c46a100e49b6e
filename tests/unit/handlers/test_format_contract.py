"""What every format of alert bodies keeps to, whichever it is: the contract of `handlers.domain.formats`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from handlers.domain.alert import IncomingAlert, LinkKind
from handlers.domain.formats import FORMATS, ParseResult, parse
from handlers.domain.identity import fault_key_of, identity_of
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert
from tests.unit.handlers.contract_tables import ENDS, NO_ALERTS, OPTIONAL, REFUSED, SENT
from topology.alerts import FaultState, Severity

FIXTURES: Final = Path(__file__).parent / "fixtures"
BODIES: Final = {
    f"{path.parent.name}/{path.stem}": json.loads(path.read_bytes()) for path in FIXTURES.glob("*/*.json")
}
"""By format and name. A name that begins with `resolved` or `ignored` says what becomes of it."""

RESOLVED: Final = sorted(name for name in BODIES if "/resolved" in name or name in ENDS)
IGNORED: Final = sorted(name for name in BODIES if "/ignored" in name or name in NO_ALERTS)
FIRING: Final = sorted(BODIES.keys() - {*RESOLVED, *IGNORED})
WRONG: Final = (None, 7, True, "", "x" * 600, [], [7, None, {}], {}, {"a": {"b": [1]}})
"""Values of every kind but the right one."""

MAX_DEPTH: Final = 6

Path_ = tuple[str | int, ...]


def _parsed(body: Any) -> ParseResult:
    return parse(json.dumps(body).encode(), {})


def _places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Each field of a body and of what is in it; of a list its last member."""
    if len(path) >= MAX_DEPTH or not value:
        return
    if isinstance(value, dict):
        for name, inside in value.items():
            yield (*path, name)
            yield from _places(inside, (*path, name))
    elif isinstance(value, list):
        yield from _places(value[-1], (*path, len(value) - 1))


def _changed(body: Any, path: Path_, *new: Any) -> Any:
    """A copy of the body without that field, or with a new value there."""
    copy = deepcopy(body)
    inside = copy
    for name in path[:-1]:
        inside = inside[name]
    if new:
        inside[path[-1]] = new[0]
    else:
        del inside[path[-1]]
    return copy


def _told(alerts: Sequence[IncomingAlert]) -> list[tuple[object, ...]]:
    return [(alert.title, alert.severity, alert.state, alert.event_id) for alert in alerts]


def test_every_format_has_bodies_here() -> None:
    """Or it would be held to nothing below."""
    assert {name.partition("/")[0] for name in FIRING} == {spec.name for spec in FORMATS}


@pytest.mark.parametrize("spec", FORMATS, ids=lambda spec: spec.name)
def test_format_says_what_its_identity_and_severity_are(spec: Any) -> None:
    """The table of identities is made of it."""
    assert all(spec.identity)
    assert spec.severity


@pytest.mark.parametrize("name", sorted(BODIES))
def test_body_is_recognised_by_its_own_format_and_no_other(name: str) -> None:
    """Whatever order they are asked in; those of last resort may know it too."""
    recognised = [f.name for f in FORMATS if not f.last_resort and f.recognises(BODIES[name], {})]
    own = next(f for f in FORMATS if f.name == name.partition("/")[0])
    assert recognised == ([] if own.last_resort else [own.name])
    assert _parsed(BODIES[name]).format == own.name


@pytest.mark.parametrize("name", FIRING + RESOLVED)
def test_alert_has_title_severity_state_and_known_links(name: str) -> None:
    """And is the same each time. A resolution asks nobody to act."""
    result = _parsed(BODIES[name])
    assert result == _parsed(BODIES[name])
    assert (result.ignored_reason, result.refused) == (None, ())
    assert result.alerts
    for alert in result.alerts:
        assert inert(alert.title)
        assert alert.mended == ()
        assert isinstance(alert.severity, Severity)
        assert set(alert.links) <= set(LinkKind)
        assert all(alert.links.values())
        assert json.loads(alert.part)
        resolved = name in RESOLVED
        assert alert.state is (FaultState.RESOLVED if resolved else FaultState.FIRING)
        assert not resolved or alert.severity is Severity.INFO


@pytest.mark.parametrize("name", IGNORED)
def test_what_is_no_alert_is_ignored_and_says_why(name: str) -> None:
    """A success, a ping, an acknowledgement."""
    result = _parsed(BODIES[name])
    assert (result.alerts, result.refused) == ((), ())
    assert result.ignored_reason


@pytest.mark.parametrize("name", RESOLVED)
def test_outage_and_its_end_are_of_one_fault(name: str) -> None:
    """By the event's id where there is one."""
    began = ENDS.get(name, name.replace("/resolved", "/firing"))
    resolved = _parsed(BODIES[name]).alerts
    firing = _parsed(BODIES[began]).alerts if began else resolved
    assert [alert.event_id for alert in firing] == [alert.event_id for alert in resolved]
    assert [fault_key_of(alert) for alert in firing] == [fault_key_of(alert) for alert in resolved]
    assert not began or all(identity_of(a) != identity_of(b) for a, b in zip(firing, resolved, strict=True))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (name, path)
        for name in FIRING
        for path in SENT.get(name.partition("/")[0], ())
        if path in _places(BODIES[name])
    ],
)
def test_time_of_sending_is_no_part_of_the_identity(name: str, path: Path_) -> None:
    """A sender that tries again may stamp the event anew."""
    body = BODIES[name]
    later = _changed(body, path, _later(body, path))
    before, after = _parsed(body).alerts, _parsed(later).alerts
    assert [identity_of(alert) for alert in before] == [identity_of(alert) for alert in after]


def _later(body: Any, path: Path_) -> Any:
    for name in path:
        body = body[name]
    if isinstance(body, int | float):
        return body + 60_000
    return str(int(body) + 60_000) if body.isdigit() else body.replace("T08", "T09")


@pytest.mark.parametrize("name", FIRING + RESOLVED)
def test_missing_field_costs_no_alert_and_what_it_changed_is_named(name: str) -> None:
    """Each in turn. Without its marks a body is of no known format, and is refused."""
    spec, body = name.partition("/")[0], BODIES[name]
    whole = _told(_parsed(body).alerts)
    for path in _places(body):
        result = _result(_changed(body, path), spec, path)
        if result is None or _fields(path) in OPTIONAL.get(spec, ()):
            continue
        assert result.alerts, (path, result.ignored_reason)
        assert _told(result.alerts) == whole or any(alert.mended for alert in result.alerts), path


@pytest.mark.parametrize("name", sorted(BODIES))
@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: json.dumps(value)[:12])
def test_field_of_a_wrong_kind_costs_no_alert(name: str, wrong: Any) -> None:
    """Each in turn, whatever is there instead: the body is taken, ignored or refused, and nothing breaks."""
    spec, body = name.partition("/")[0], BODIES[name]
    for path in _places(body):
        _result(_changed(body, path, wrong), spec, path)


def _result(body: Any, spec: str, path: Path_) -> ParseResult | None:
    """What becomes of a changed body; None where it is refused, as it may be without that field."""
    try:
        result = _parsed(body)
    except RefusedError:
        assert _fields(path) in REFUSED.get(spec, ()), path
        return None
    assert result.format == spec, path
    assert bool(result.alerts) != bool(result.ignored_reason), path
    assert all(inert(alert.title) for alert in result.alerts), path
    return result


def _fields(path: Path_) -> str:
    """The path as the tables have it: `alerts.labels`."""
    return ".".join(part for part in path if isinstance(part, str))


def test_tables_name_known_formats() -> None:
    """A line of a format that is gone would hold nothing to anything."""
    tables: Sequence[Mapping[str, object]] = (SENT, REFUSED, OPTIONAL)
    assert {name for table in tables for name in table} <= {spec.name for spec in FORMATS}
    assert {*ENDS, *NO_ALERTS} <= BODIES.keys()
