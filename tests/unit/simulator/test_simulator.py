"""The simulator: its promises hold on a sample of seeds, and one seed is one history."""

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from simulator.drawing import scenario_of
from simulator.scenario import (
    CONSISTENCIES,
    REGIONS,
    Arrival,
    Consistency,
    Incident,
    Kind,
    PlannedSilence,
    Scenario,
)
from simulator.simulation import run
from simulator.sources import CANARY_AFTER_MS
from topology.alerts import Severity
from topology.silences import Matcher

SAMPLE = 15
REPLAYED = (3, 14, 21)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The handlers log every simulated failure."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def arrival(label: str = "A0", **changes: object) -> Arrival:
    """One request of one alert to the primary region."""
    plain = Arrival(
        label=label, at_ms=1_000, region=REGIONS[0], tells_of=(1,), severity=Severity.HIGH, by_content=False
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the fields of `Arrival`, by name


def scenario(*arrivals: Arrival, **changes: object) -> Scenario:
    """A scenario without faults."""
    plain = Scenario(seed=1, consistency="strong", horizon_ms=120_000, arrivals=arrivals or (arrival(),))
    return replace(plain, **changes)  # type: ignore[arg-type]  # the fields of `Scenario`, by name


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_sample_of_seeds_keeps_every_promise(consistency: Consistency) -> None:
    """And the faults really fire, so that this is worth something."""
    counts: Counter[str] = Counter()
    for seed in range(SAMPLE):
        outcome = run(scenario_of(seed, consistency))
        assert outcome.violation is None, f"seed {seed} {consistency}: {outcome.violation}"
        counts += outcome.counts
    for fired in ("crash_before", "crash_after", "freeze", "ledger_lost_answer", "message_twice"):
        assert counts[fired] > 0
    for state in (
        "NOTIFIED",
        "SUPPRESSED",
        "PARKED",
        "in_digest",
        "duplicates",
        "held",
        "routed",
        "silenced",
    ):
        assert counts[state] > 0


def test_one_alert_without_faults_is_posted_once() -> None:
    """In no more than the time that its two steps need."""
    outcome = run(scenario(), keep_history=True)
    assert outcome.violation is None
    assert outcome.fired == ()
    assert (outcome.counts["NOTIFIED"], outcome.counts["posts"]) == (1, 1)
    assert next(line for line in outcome.lines if "slack.post" in line) < "+00:00:15"


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_seed_replays_exactly(consistency: Consistency) -> None:
    """Rows, receipts, posts and faults are the same each time, with a history or without."""
    for seed in REPLAYED:
        first = run(scenario_of(seed, consistency))
        again = run(scenario_of(seed, consistency), keep_history=True)
        assert first.digest == again.digest
        assert first.fired == again.fired


def test_replay_does_not_depend_on_the_hash_seed() -> None:
    """Another process with other hashes of texts has the same history."""
    program = (
        "import logging; logging.disable(50)\n"
        "from simulator.drawing import scenario_of\n"
        "from simulator.simulation import run\n"
        f"print([run(scenario_of(s, c)).digest for s in {REPLAYED} for c in {CONSISTENCIES}])"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert printed[0] == printed[1]


def test_different_seeds_differ() -> None:
    """Otherwise thousands of them would show nothing."""
    assert len({run(scenario_of(seed, "strong")).digest for seed in range(5)}) == 5


def test_leaving_a_fault_out_changes_nothing_before_it() -> None:
    """What the shrinker relies on: all that happens until then is the same."""
    whole = next(
        outcome
        for seed in range(50)
        if len((outcome := run(scenario_of(seed, "strong"), keep_history=True)).fired) > 3
    )
    without = frozenset(whole.fired[:-1])
    part = run(replace(whole.scenario, allowed=without), keep_history=True)
    at = next(n for n, line in enumerate(whole.lines) if whole.fired[-1] in line)
    # Each history has its columns as wide as its own names.
    before, after = ([line.split() for line in one.lines[:at]] for one in (whole, part))
    assert after == before
    assert part.fired[: len(without)] == whole.fired[:-1]


def test_alert_that_kills_its_workers_is_parked() -> None:
    """Attempts are limited for it too, though no worker ever lives to count them."""
    outcome = run(scenario(arrival(deadly=True)))
    assert outcome.violation is None
    assert outcome.counts["PARKED"] == 1


def test_alert_that_slack_refuses_is_parked_and_its_repeat_goes_the_same_way() -> None:
    """The repeat was SUPPRESSED while its parent was open, and is promoted when that is PARKED."""
    outcome = run(scenario(arrival(refused=True), arrival("A1", refused=True, at_ms=1_500, stamp="A1")))
    assert outcome.violation is None
    assert outcome.counts["PARKED"] == 2


def test_silence_may_hide_the_retry_of_what_is_parked() -> None:
    """Nobody was told of that, so the same bytes are no repeat of it: they go out, or rest by the silence."""
    hidden = PlannedSilence(
        silence_id="s0", matcher=Matcher(source="simulator"), from_ms=20_000, to_ms=80_000
    )
    over = arrival(refused=True, resolved=True)
    outcome = run(scenario(over, replace(over, label="A1", at_ms=40_000), silences=(hidden,)))
    assert outcome.violation is None
    assert (outcome.counts["PARKED"], outcome.counts["silenced"]) == (1, 1)


def test_alert_after_the_last_fault_may_lead_while_the_model_is_asked_for_its_incident() -> None:
    """A less severe one has it asked half a second before: it is not asked again within the minute."""
    before_ms = 120_000 + CANARY_AFTER_MS - 500
    first = arrival(severity=Severity.MEDIUM, at_ms=before_ms)
    outcome = run(scenario(first, canary=True, incident_window_s=300))
    assert outcome.violation is None
    assert (outcome.counts["incidents"], outcome.counts["NOTIFIED"]) == (1, 2)


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_alert_that_kills_its_workers_takes_no_other_along(consistency: Consistency) -> None:
    """Recovery wakes them up together each time; the other goes out all the same."""
    others = tuple(
        arrival(f"A{number}", tells_of=(number,), error=f"error {chr(64 + number)}") for number in range(2, 5)
    )
    outcome = run(scenario(arrival(deadly=True), *others, consistency=consistency))
    assert outcome.violation is None
    assert (outcome.counts["PARKED"], outcome.counts["NOTIFIED"]) == (1, 3)


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_region_that_goes_down_with_its_queues_loses_nothing(consistency: Consistency) -> None:
    """Its alerts are recovered: by the other region, or when it is back."""
    down = Incident(kind=Kind.REGION_DOWN, from_ms=1_100, to_ms=400_000, region=REGIONS[0], detail=1)
    many = tuple(arrival(f"A{n}", at_ms=900 + 20 * n, tells_of=(n,)) for n in range(10))
    outcome = run(scenario(*many, incidents=(down,), horizon_ms=400_000, consistency=consistency))
    assert outcome.violation is None
    assert outcome.counts["NOTIFIED"] == 10


@pytest.mark.parametrize(("gone_s", "state"), [(20, "NOTIFIED"), (120, "PARKED")])
def test_slacks_address_may_be_away_for_a_moment(gone_s: int, state: str) -> None:
    """Half a minute is waited; what stays away for longer parks the alert, and nothing is posted."""
    moved = Incident(kind=Kind.SLACK_MOVED, from_ms=0, to_ms=gone_s * 1_000)
    outcome = run(scenario(incidents=(moved,)))
    assert outcome.violation is None
    assert outcome.counts[state] == 1
    assert outcome.counts["duplicates"] == 0


def test_slack_that_takes_and_does_not_answer_causes_counted_duplicates() -> None:
    """Each is a possible duplicate in its row."""
    deaf = Incident(kind=Kind.SLACK_DEAF, from_ms=0, to_ms=60_000)
    outcome = run(scenario(incidents=(deaf,)))
    assert outcome.violation is None
    assert 0 < outcome.counts["duplicates"] <= outcome.counts["possible_duplicate outcome_unknown"]
