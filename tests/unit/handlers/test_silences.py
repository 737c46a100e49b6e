"""Which silence an alert is under, and what is silenced while nobody knows."""

import pytest

from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.silences import Silences
from tests.fakes.machine import FakeClock
from tests.fakes.services import FakeStoredSilences
from tests.unit.handlers.builders import row
from topology.matchers import Matcher
from topology.silences import (
    Silence,
    packed_silences,
    read_stored,
    stored_text,
    unpacked_silences,
)

BILLING = Matcher(source="billing")


def silence(silence_id: str = "s", **fields: object) -> Silence:
    """A silence of everything from `billing`, from 100 until before 200."""
    given = {"matcher": BILLING, "from_s": 100, "until_s": 200, "reason": "move"} | fields
    return Silence(silence_id=silence_id, **given)  # type: ignore[arg-type]


def silences(*made: Silence, configured: tuple[Silence, ...] = ()) -> Silences:
    """As an instance has them that has read nothing yet."""
    return Silences(stored=FakeStoredSilences(stored_text(made)), clock=FakeClock(), configured=configured)


@pytest.mark.parametrize(("now_s", "silent"), [(99, False), (100, True), (199, True), (200, False)])
def test_silence_lasts_from_its_start_until_before_its_end(*, now_s: int, silent: bool) -> None:
    """Whoever made it."""
    for known in (silences(silence()), silences(configured=(silence(),))):
        assert (known.silence_of(row(), now_s=now_s) is not None) is silent


@pytest.mark.parametrize(("critical", "silent"), [(False, False), (True, True)])
def test_critical_alert_is_silenced_only_by_a_silence_that_says_so(*, critical: bool, silent: bool) -> None:
    """However well it matches."""
    known = silences(silence(critical=critical))
    assert (known.silence_of(row(severity="CRITICAL"), now_s=150) is not None) is silent
    assert known.silence_of(row(severity="HIGH"), now_s=150) is not None
    assert known.silence_of(row(source="other"), now_s=150) is None


def test_of_several_silences_the_one_that_ends_last_counts() -> None:
    """So that people hear of it once all are over, not at the end of each."""
    known = silences(
        silence("short"), silence("long", until_s=300), configured=(silence("mid", until_s=250),)
    )
    under = known.silence_of(row(), now_s=150)
    assert under is not None
    assert under.silence_id == "long"


@pytest.mark.parametrize("text", ["{}", "nonsense", '[{"silence_id": "s"}]', '[{"matcher": {"source": 5}}]'])
def test_malformed_record_silences_nothing(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """What is configured goes on."""
    known = Silences(stored=FakeStoredSilences(text), clock=FakeClock(), configured=(silence("c"),))
    under = known.silence_of(row(), now_s=150)
    assert under is not None
    assert under.silence_id == "c"
    assert "malformed" in caplog.text
    assert known.silence_of(row(), now_s=99) is None


def test_unreadable_record_silences_nothing_and_is_read_again_later() -> None:
    """Once in a few seconds, however many alerts ask: a read that times out costs each of them time."""
    stored, clock = FakeStoredSilences(stored_text([silence()])), FakeClock()
    known = Silences(stored=stored, clock=clock)
    assert known.silence_of(row(), now_s=150) is not None
    stored.down = True
    assert known.silence_of(row(), now_s=150) is not None
    clock.advance(REMEMBERED_MS / 1000)
    assert known.silence_of(row(), now_s=150) is None
    stored.down = False
    assert known.silence_of(row(), now_s=150) is None
    clock.advance(REMEMBERED_MS / 1000)
    assert known.silence_of(row(), now_s=150) is not None
    assert stored.reads == 3


def test_silences_come_back_as_they_were_written() -> None:
    """From the record, and from the environment."""
    made = silence(matcher=Matcher(severity=("LOW",), labels={"team": "p*"}), by="ann", due_s=(180,))
    assert read_stored(stored_text([made, silence("t", critical=True)])) == (
        made,
        silence("t", critical=True),
    )
    assert unpacked_silences(packed_silences([made])) == (made,)
