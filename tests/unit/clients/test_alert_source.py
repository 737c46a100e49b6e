"""The alerts that every run sends: new in each run, of few causes, told apart by their numbers alone."""

from collections import Counter
from itertools import pairwise

import msgspec
import pytest

from clients.alert_source import CAUSES_MAX, FORMATS, AlertSource, in_turn
from clients.sender import Webhook
from handlers.domain.formats import parse
from topology.alerts import FaultState, Severity

EAST, WEST = Webhook("east", "u", "k"), Webhook("west", "u", "k")


def test_each_alert_is_made_from_its_number_alone() -> None:
    """So that processes can share a load, and a drill that is resumed repeats none."""
    source = AlertSource(source="s", run="d1")
    assert [source.alert(n).event_id for n in (998, 999, 1000)] == ["d1-000998", "d1-000999", "d1-001000"]
    assert source.alert(7) == AlertSource(source="s", run="d1").alert(7)


def test_no_two_alerts_are_alike_in_this_run_or_another() -> None:
    """Or they would be suppressed as repeats."""
    first, second = ({AlertSource(source="s").alert(n).event_id for n in range(500)} for _ in range(2))
    assert len(first) == len(second) == 500
    assert first.isdisjoint(second)


def test_a_cause_of_its_own_is_no_other_runs() -> None:
    """On a stack that has analysed an earlier run, the model is asked for each all the same."""
    first, second = (
        {AlertSource(source="s", run=run, distinct_causes=True).alert(n).service for n in range(500)}
        for run in ("d1", "d2")
    )
    assert len(first) == len(second) == 500
    assert first.isdisjoint(second)


@pytest.mark.parametrize("causes", [1, 3, 8, 40, CAUSES_MAX])
def test_there_are_as_many_causes_as_asked_for(causes: int) -> None:
    """Each as often as the others."""
    source = AlertSource(source="s", causes=causes)
    counts = Counter((a.service, a.symptom) for a in map(source.alert, range(causes * 10)))
    assert set(counts.values()) == {10}
    assert len(counts) == causes


@pytest.mark.parametrize("percent", [0, 2, 10, 33, 100])
def test_as_many_are_critical_as_asked_for_of_every_cause(percent: float) -> None:
    """Spread evenly over time, and over causes."""
    source = AlertSource(source="s", causes=8, critical_percent=percent)
    critical = [a for a in map(source.alert, range(4_000)) if a.severity is Severity.CRITICAL]
    assert len(critical) == 40 * percent
    assert len({(a.service, a.symptom) for a in critical}) == (8 if percent else 0)


def test_faults_that_come_and_go_change_their_state_each_time() -> None:
    """What comes again without a change would be a repeat."""
    states: dict[str, list[FaultState]] = {}
    for alert in map(AlertSource(source="s", flapping=True).alert, range(500)):
        states.setdefault(alert.event_id, []).append(alert.state)
    assert sorted({len(told) for told in states.values()}) == [1, 6, 7]
    assert all(before is not after for told in states.values() for before, after in pairwise(told))


@pytest.mark.parametrize("name", FORMATS)
def test_reception_reads_each_format_with_the_same_severity_state_and_title(name: str) -> None:
    """Whatever it is sent in, it is the alert that was made."""
    source = AlertSource(source="s", formats=(name,), flapping=True)
    for number in range(20):
        alert, post = source.alert(number), source.post(number, (EAST,))
        [member] = parse(msgspec.json.encode(post.body), {}).alerts
        assert FaultState.RESOLVED.value in (member.status or "") or alert.state is FaultState.FIRING
        assert (member.severity, member.title) == (alert.severity, f"{alert.service}: {alert.symptom}")
        assert post.severity is alert.severity
        assert [tells.fault for tells in post.tells] == [alert.event_id]


def test_repeats_are_sent_as_an_earlier_alert_was() -> None:
    """As many as asked for, and nothing else twice."""
    source = AlertSource(source="s", repeats_percent=30)
    ids = [source.post(number, (EAST,)).body["event_id"] for number in range(2_000)]
    assert 0.25 < 1 - len(set(ids)) / len(ids) < 0.35
    assert all(str(event) in {source.alert(n).event_id for n in range(2_000)} for event in ids[:50])


def test_sources_take_turns_in_which_region_they_try_first() -> None:
    """Each region is first once."""
    assert in_turn((EAST, WEST)) == [(EAST, WEST), (WEST, EAST)]
