"""The shared pace and the shared circuit breaker: several instances over one record."""

from itertools import pairwise

import pytest

from handlers.domain.delivery.breaker import FAILURES_TO_OPEN, FIRST_OPEN_MS, MAX_OPEN_MS, PROBE_MS, Breaker
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.ports import Record
from tests.fakes.ledger import FakeCoordination
from tests.fakes.machine import FakeClock


class Instances:
    """Makes instances over one record and one clock."""

    def __init__(self) -> None:
        """Nothing is recorded yet."""
        self.clock, self.coordination = FakeClock(), FakeCoordination()

    def rate_limiter(self) -> RateLimiter:
        """The rate limiter of another instance."""
        return RateLimiter(coordination=self.coordination, clock=self.clock, interval_ms=1_000)

    def breaker(self) -> Breaker:
        """Another instance's breaker."""
        return Breaker(coordination=self.coordination, clock=self.clock)


def test_no_two_urgent_messages_within_an_interval() -> None:
    """Whoever sends them."""
    all_of = Instances()
    taken_at: list[int] = []
    for _ in range(100):
        if all_of.rate_limiter().reserve(urgent=True) == 0:
            taken_at.append(all_of.clock.ms)
        all_of.clock.advance(0.1)
    assert {later - earlier for earlier, later in pairwise(taken_at)} == {1_000}


def test_ordinary_messages_leave_every_other_slot_free() -> None:
    """So that an urgent one never waits for longer than a slot."""
    all_of = Instances()
    assert all_of.rate_limiter().reserve(urgent=False) == 0
    assert all_of.rate_limiter().reserve(urgent=False) == 2_000
    assert all_of.rate_limiter().reserve(urgent=True) == 1_000
    all_of.clock.advance(2)
    assert all_of.rate_limiter().reserve(urgent=False) == 0


def test_digest_has_time_to_be_gathered() -> None:
    """What takes the next slot would come to Slack beside it, and one of them be refused."""
    all_of = Instances()
    assert all_of.rate_limiter().reserve(urgent=False) == 0
    all_of.clock.advance(2)
    others_waited = all_of.rate_limiter()
    assert others_waited.reserve(urgent=False) == 0
    assert others_waited.crowded
    assert all_of.rate_limiter().reserve(urgent=True) == 1_500
    all_of.clock.advance(1.5)
    assert all_of.rate_limiter().reserve(urgent=True) == 0


def test_closed_slot_is_not_read_again() -> None:
    """What is known to be closed costs nothing more."""
    all_of = Instances()
    rate_limiter = all_of.rate_limiter()
    rate_limiter.reserve(urgent=False)
    reads = all_of.coordination.reads
    for _ in range(50):
        assert rate_limiter.reserve(urgent=False) > 0
    assert all_of.coordination.reads == reads


def test_closure_is_read_again_after_a_moment() -> None:
    """Whoever opens it for all, by deleting the record, opens it for instances that have read it too."""
    all_of = Instances()
    rate_limiter = all_of.rate_limiter()
    rate_limiter.back_off(until_ms=all_of.clock.ms + 3_600_000)
    all_of.coordination.records.clear()
    all_of.clock.advance(REMEMBERED_MS / 1000 - 1)
    assert rate_limiter.reserve(urgent=True) > 0
    all_of.clock.advance(1)
    assert rate_limiter.reserve(urgent=True) == 0


def test_closure_that_cannot_be_read_again_binds_on() -> None:
    """What was known last is better than nothing."""
    all_of = Instances()
    rate_limiter = all_of.rate_limiter()
    rate_limiter.back_off(until_ms=all_of.clock.ms + 60_000)
    all_of.coordination.down = True
    all_of.clock.advance(REMEMBERED_MS / 1000)
    assert rate_limiter.reserve(urgent=True) == 55_000
    all_of.clock.advance(55)
    assert rate_limiter.reserve(urgent=True) == 0


def test_after_a_digest_ordinary_alerts_gather_and_urgent_ones_do_not() -> None:
    """Five seconds, for all instances."""
    all_of = Instances()
    rate_limiter = all_of.rate_limiter()
    rate_limiter.reserve(urgent=False)
    rate_limiter.open_digest_window()
    all_of.clock.advance(1)
    assert all_of.rate_limiter().reserve(urgent=True) == 0
    assert all_of.rate_limiter().reserve(urgent=False) == 4_000


def test_shorter_wish_does_not_open_what_a_longer_one_closed() -> None:
    """Two answers of Slack in the wrong order."""
    all_of = Instances()
    all_of.rate_limiter().back_off(until_ms=all_of.clock.ms + 60_000)
    all_of.rate_limiter().back_off(until_ms=all_of.clock.ms + 5_000)
    assert all_of.rate_limiter().reserve(urgent=True) == 60_000


def test_record_of_a_clock_that_is_far_ahead_binds_for_a_moment_only() -> None:
    """A machine in the wrong century silences nobody, now or later."""
    for name in ("next_ms", "window_ms", "back_off_ms", "offered_ms"):
        for urgent in (True, False):
            all_of = Instances()
            ahead = Record(version=1, values={name: all_of.clock.ms * 2})
            all_of.coordination.records["slack"] = ahead
            assert all_of.rate_limiter().reserve(urgent=urgent) == 0
            all_of.clock.advance(3)
            assert all_of.rate_limiter().reserve(urgent=urgent) == 0


def test_what_a_clock_far_ahead_wrote_hides_no_wish_of_slack() -> None:
    """A value that means nothing is written over by one that does."""
    all_of = Instances()
    all_of.coordination.records["slack"] = Record(version=1, values={"back_off_ms": all_of.clock.ms * 2})
    all_of.rate_limiter().back_off(until_ms=all_of.clock.ms + 30_000)
    assert all_of.rate_limiter().reserve(urgent=True) == 30_000


def test_steady_stream_of_urgent_messages_starves_nobody() -> None:
    """Ordinary ones get a slot every ten seconds or so, and the urgent ones all the others."""
    all_of = Instances()
    taken = {True: 0, False: 0}
    for _ in range(1_000):
        for urgent in (True, False):
            taken[urgent] += all_of.rate_limiter().reserve(urgent=urgent) == 0
        all_of.clock.advance(0.1)
    assert taken[False] >= 8
    assert taken[True] >= 80


def test_urgent_messages_alone_lose_one_slot_in_ten() -> None:
    """What is left to ordinary ones and not taken is gone."""
    all_of = Instances()
    taken = 0
    for _ in range(1_000):
        taken += all_of.rate_limiter().reserve(urgent=True) == 0
        all_of.clock.advance(0.1)
    assert 88 <= taken <= 92


def test_circuit_opens_for_all_after_failures_in_a_row() -> None:
    """A success in between starts the count again."""
    all_of = Instances()
    one, other = all_of.breaker(), all_of.breaker()
    for _ in range(2):
        for _ in range(FAILURES_TO_OPEN - 1):
            assert one.allows()
            one.failed()
        assert one.allows()
        one.succeeded()
    for _ in range(FAILURES_TO_OPEN):
        assert other.allows()
        other.failed()
    assert not one.allows()
    assert not all_of.breaker().allows()


def opened(all_of: Instances) -> None:
    """Let enough calls fail."""
    breaker = all_of.breaker()
    for _ in range(FAILURES_TO_OPEN):
        breaker.allows()
        breaker.failed()


def test_one_caller_tries_whether_it_is_back() -> None:
    """The others wait for what it finds; if it dies, the next one tries a while later."""
    all_of = Instances()
    opened(all_of)
    all_of.clock.advance(FIRST_OPEN_MS / 1000)
    assert [all_of.breaker().allows() for _ in range(3)] == [True, False, False]
    all_of.clock.advance(PROBE_MS / 1000)
    assert all_of.breaker().allows()


def test_probe_decides_for_all() -> None:
    """Its success closes the circuit; its failure keeps it open for twice as long, up to a limit."""
    all_of = Instances()
    opened(all_of)
    open_s = FIRST_OPEN_MS / 1000
    for _ in range(8):
        all_of.clock.advance(open_s)
        probe = all_of.breaker()
        assert probe.allows()
        probe.failed()
        open_s = min(open_s * 2, MAX_OPEN_MS / 1000)
        all_of.clock.advance(open_s - 1)
        assert not all_of.breaker().allows()
        all_of.clock.advance(1 - open_s)
    all_of.clock.advance(open_s)
    probe = all_of.breaker()
    assert probe.allows()
    probe.succeeded()
    assert all(all_of.breaker().allows() for _ in range(3))


@pytest.mark.parametrize(("asked_s", "open_s"), [(600, 600), (1, FIRST_OPEN_MS / 1000), (1e9, 3_600)])
def test_wish_to_stay_away_is_kept_within_reason(asked_s: float, open_s: float) -> None:
    """At least as long as a failure would cost, at most an hour."""
    all_of = Instances()
    breaker = all_of.breaker()
    assert breaker.allows()
    breaker.failed(stay_away_s=asked_s)
    all_of.clock.advance(open_s - 1)
    assert not all_of.breaker().allows()
    all_of.clock.advance(1)
    assert all_of.breaker().allows()


def test_open_circuit_is_read_again_after_a_moment() -> None:
    """Whoever closes it for all closes it for instances that have read it too."""
    all_of = Instances()
    breaker = all_of.breaker()
    breaker.failed(stay_away_s=3_600)
    all_of.coordination.records.clear()
    all_of.clock.advance(REMEMBERED_MS / 1000 - 1)
    assert not breaker.allows()
    all_of.clock.advance(1)
    assert breaker.allows()


def test_open_circuit_that_cannot_be_read_again_stays_open() -> None:
    """What was known last is better than nothing."""
    all_of = Instances()
    breaker = all_of.breaker()
    breaker.failed(stay_away_s=60)
    all_of.coordination.down = True
    all_of.clock.advance(59)
    assert not breaker.allows()
    all_of.clock.advance(1)
    assert breaker.allows()


def test_unknown_breaker_lets_calls_through() -> None:
    """The call's own timeout is then the limit."""
    all_of = Instances()
    all_of.coordination.down = True
    breaker = all_of.breaker()
    assert breaker.allows()
    breaker.failed()
    breaker.succeeded()
