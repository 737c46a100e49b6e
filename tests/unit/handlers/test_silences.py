"""Which silence an alert is under, and what is silenced while nobody knows."""

import pytest
from msgspec.structs import replace

from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.silences import Silences
from handlers.domain.states import analyzed, notified
from tests.fakes.machine import FakeClock
from tests.fakes.services import ANALYSIS, FakeStoredSilences
from tests.unit.handlers.builders import World, row
from topology.alerts import URGENCY, FaultState, Status
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


def test_silenced_alert_rests_before_the_model_is_asked() -> None:
    """Under its silence, until that ends; nobody is woken up for it."""
    world = World()
    now_s = world.clock.s
    world.silenced.text = stored_text([silence(from_s=now_s, until_s=now_s + 60)])
    world.hold(row())
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.silence_id, stored.silenced_until) == (
        Status.SUPPRESSED,
        "s",
        now_s + 60,
    )
    assert stored.due_at == now_s + 60 + URGENCY[stored.severity]
    assert (world.analyst.asked, world.queue_sender.sent) == ([], [])


@pytest.mark.parametrize(
    ("fired", "rests"), [("CRITICAL", Status.ANALYZED), ("HIGH", Status.SUPPRESSED), ("LOW", Status.ANALYZED)]
)
def test_resolution_is_silenced_if_what_it_resolves_would_be(fired: str, rests: Status) -> None:
    """It has another severity itself: of a CRITICAL alert that people were told of they hear the end."""
    world = World()
    now_s, now_ms = world.clock.s, world.clock.ms
    matcher = Matcher(severity=("CRITICAL", "HIGH", "INFO"))
    world.silenced.text = stored_text([silence(matcher=matcher, from_s=now_s, until_s=now_s + 60)])
    first = replace(row("a1", severity=fired, at_ms=now_ms - 60_000), fault_key="f" * 64)
    told = notified(analyzed(first, ANALYSIS, due_at=1), at_ms=now_ms - 50_000)
    resolution = replace(
        row("r1", severity="INFO", at_ms=now_ms), fault_key="f" * 64, state=FaultState.RESOLVED
    )
    world.hold(told, resolution)
    world.analysis.work("r1", world.time())
    assert world.ledger.rows["r1"].status is rests
