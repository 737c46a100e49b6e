"""A drill's arithmetic: RTO and its parts, RPO, the timeline's columns, slower than last time."""

import pytest

from dr.drill.measures import (
    BUCKETS_MAX,
    Failure,
    Rpo,
    Silence,
    changes,
    failure_of,
    load_of,
    rpo_of,
    rto_of,
    silences_of,
    timeline_of,
)
from dr.drill.prober import ProbeLog
from dr.drill.record import Moment
from tests.unit.dr.drill_examples import EAST, MOMENTS, ROLES, WEST, at, attempt, receipt

INSTANTS = {moment: at(offset) for moment, offset in MOMENTS.items()}


def test_the_parts_of_an_rto_add_up_to_it() -> None:
    """Detect, decide, act and verify lie end to end between the fault and the test alert."""
    rto = rto_of(INSTANTS, [attempt(WEST, 20_100)], lost_to=WEST)
    assert rto.parts_s == {"detect": 21.5, "decide": 5.0, "act": 0.5, "verify": 5.5}
    assert rto.total_s == 32.5
    assert sum(value or 0 for value in rto.parts_s.values()) == rto.total_s


def test_an_rto_lasts_until_an_alert_that_was_sent_after_the_fault_is_served() -> None:
    """A test alert is not enough: the sources' own alerts count, and those sent before the fault do not."""
    early, late = attempt(WEST, 19_990), attempt(WEST, 59_900, took_ms=100)
    rto = rto_of(INSTANTS, [early, attempt(EAST, 21_000), attempt(WEST, 22_000, 503), late], lost_to=WEST)
    assert rto.served_again_s == 40.0
    assert rto.total_s == 40.0


def test_an_alert_sent_at_the_fault_itself_counts() -> None:
    """The boundary belongs to the time after the fault."""
    assert rto_of(INSTANTS, [attempt(WEST, 20_000, took_ms=0)], lost_to=WEST).served_again_s == 0.0


@pytest.mark.parametrize("missing", [Moment.FAULT, Moment.VERIFIED])
def test_an_rto_without_its_ends_is_unknown(missing: Moment) -> None:
    """A drill that broke off has no RTO, rather than a short one."""
    instants = {moment: at_ms for moment, at_ms in INSTANTS.items() if moment != missing}
    assert rto_of(instants, [attempt(WEST, 21_000)], lost_to=WEST).total_s is None


def test_an_rto_is_unknown_where_nobody_was_served() -> None:
    """The failover was verified, and yet no source got through."""
    assert rto_of(INSTANTS, [attempt(EAST, 21_000)], lost_to=WEST).total_s is None


def test_where_no_region_is_lost_the_proof_ends_the_rto() -> None:
    """A corrupted table takes alerts all the time: nothing has to be served again."""
    rto = rto_of(INSTANTS, [], lost_to=None)
    assert (rto.total_s, rto.served_again_s) == (32.5, None)


def test_an_rpo_names_the_age_of_the_oldest_lost_alert() -> None:
    """In alerts by the audit's count, in seconds by the receipts."""
    receipts = [receipt("a", EAST, 5_000), receipt("b", EAST, 12_000), receipt("c", EAST, 19_000)]
    rpo = rpo_of(2, ["c", "b"], receipts, fault_ms=at(20_000))
    assert (rpo.alerts, rpo.seconds) == (2, 7.95)


def test_an_rpo_of_nothing_lost_is_zero() -> None:
    """No alert, no second."""
    rpo = rpo_of(0, [], [receipt("a", EAST, 0)], fault_ms=at(20_000))
    assert (rpo.alerts, rpo.seconds) == (0, 0.0)


def test_an_alert_lost_after_the_fault_has_no_age_at_it() -> None:
    """It counts as an alert, with no seconds."""
    assert rpo_of(1, ["a"], [receipt("a", WEST, 30_000)], fault_ms=at(20_000)).seconds == 0.0


def test_an_rpo_without_an_audit_is_unknown() -> None:
    """Missing data is not a perfect result."""
    assert rpo_of(None, [], [receipt("a", EAST, 0)], fault_ms=at(20_000)) == Rpo(alerts=None, seconds=None)


def test_the_age_of_a_lost_alert_without_a_receipt_is_unknown() -> None:
    """It is counted, and nobody knows when it was accepted."""
    assert rpo_of(1, ["a"], [receipt("b", EAST, 0)], fault_ms=at(20_000)) == Rpo(alerts=1, seconds=None)


def test_an_alert_counts_before_the_fault_if_it_was_accepted_before_it() -> None:
    """Sent before it and accepted after it is after it; the fault's own instant is after it too."""
    receipts = [receipt("before", EAST, 19_949), receipt("sent before", EAST, 19_950)]
    load = load_of(ProbeLog(posted=2, attempts=()), receipts, fault_ms=at(20_000))
    assert (load.accepted_before_fault, load.accepted_after_fault) == (1, 1)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (202, None),
        (None, Failure.UNANSWERED),
        (429, Failure.THROTTLED),
        (500, Failure.SERVER_ERROR),
        (599, Failure.SERVER_ERROR),
        (403, Failure.OTHER),
        (200, Failure.OTHER),
    ],
)
def test_a_failed_try_is_known_by_its_answer(status: int | None, failure: Failure | None) -> None:
    """Only a 202 is none."""
    assert failure_of(status) is failure


def test_failed_tries_are_split_by_answer_and_by_the_fault() -> None:
    """By when the answer came, or was given up on."""
    tries = [attempt(EAST, 1_000, 429), attempt(EAST, 19_990, None), attempt(WEST, 21_000, 503)]
    load = load_of(ProbeLog(posted=3, attempts=tuple(tries)), [], fault_ms=at(20_000))
    assert load.failed_tries == 3
    assert {one: n for one, n in load.failed_before_fault.items() if n} == {Failure.THROTTLED: 1}
    assert {one: n for one, n in load.failed_after_fault.items() if n} == {
        Failure.UNANSWERED: 1,
        Failure.SERVER_ERROR: 1,
    }


def test_a_dead_process_is_the_longest_silence() -> None:
    """One for each death, in their order; what is shorter than the pause of a stalled load is none."""
    tries = [attempt(EAST, offset) for offset in (0, 2_000, 10_000, 14_000, 34_000)]
    died = [(2_050, 10_000), (14_050, 34_000)]
    assert silences_of(tries, at_most=2) == tuple(Silence(began_ms=at(a), ended_ms=at(b)) for a, b in died)
    assert silences_of(tries[:2], at_most=1) == ()
    assert silences_of(tries, at_most=0) == ()


def test_tries_are_counted_in_the_second_of_their_answer() -> None:
    """By region and answer; what is of no region or time of the drill is left out."""
    tries = [
        attempt(EAST, 900, took_ms=99),
        attempt(EAST, 900, took_ms=100),
        attempt(EAST, 1_500, None),
        attempt(WEST, 1_500, 503),
        attempt("eu-west-1", 100),
        attempt(EAST, 99_000),
    ]
    timeline = timeline_of(tries, regions=ROLES, began_ms=at(0), ended_ms=at(2_001))
    assert timeline.bucket_s == 1
    east, west = timeline.series
    assert (east.region, east.accepted, west.region, west.accepted) == (EAST, (1, 1, 0), WEST, (0, 0, 0))
    assert {one: counts for one, counts in east.failed.items() if any(counts)} == {
        Failure.UNANSWERED: (0, 1, 0)
    }
    assert {one: counts for one, counts in west.failed.items() if any(counts)} == {
        Failure.SERVER_ERROR: (0, 1, 0)
    }


@pytest.mark.parametrize("seconds", [0, 1, BUCKETS_MAX, BUCKETS_MAX + 1, 86_400])
def test_a_picture_has_a_bounded_number_of_columns(seconds: int) -> None:
    """However long a drill lasts, and at least one."""
    timeline = timeline_of([], regions=ROLES, began_ms=at(0), ended_ms=at(seconds * 1_000))
    columns = len(timeline.series[0].accepted)
    assert 1 <= columns <= BUCKETS_MAX
    assert columns * timeline.bucket_s >= seconds


@pytest.mark.parametrize(
    ("before", "now", "slower"),
    [(10.0, 12.0, True), (10.0, 10.9, False), (100.0, 105.0, False), (0.1, 0.9, False), (12.0, 10.0, False)],
)
def test_slower_means_by_a_tenth_and_a_second(before: float, now: float, slower: bool) -> None:  # noqa: FBT001 - a case
    """Less is the machine's noise; faster is not slower."""
    assert [one.slower for one in changes({"RTO": now}, {"RTO": before})] == [slower]


def test_only_what_both_drills_measured_is_compared() -> None:
    """An unknown measure is neither slower nor faster."""
    found = changes({"RTO": 5.0, "act": None, "verify": 1.0}, {"RTO": 5.0, "act": 1.0})
    assert [one.measure for one in found] == ["RTO"]
