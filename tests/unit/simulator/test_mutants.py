"""Planted bugs: the checker has teeth, and the shrinker makes what it finds short."""

import logging
from collections.abc import Iterator

import pytest

from simulator.drawing import scenario_of
from simulator.mutants.catalogue import MUTANTS, UnknownMutantError, planted
from simulator.mutants.mutant import Mutant
from simulator.runner import hunt, simulate
from simulator.shrinker import shrink
from simulator.simulation import Outcome, run

SEEDS = 120
CAUGHT = {
    "child-dropped": "unaccounted",
    "wake-up-before-row": "wake_up_is_poison",
    "lease-ignored": "condition_broken",
    "no-rate-limit": "posted_without_slot",
    "retry-after-ignored": "retry_after_ignored",
    "worker-waits": "worker_held",
    "recorded-first": "notified_unposted",
    "refused-together": "parked_too_soon",
    "recovery-skips-analyzed": "not_live",
    "digest-marks-less": "duplicate_without_cause",
    "possible-duplicate-unrecorded": "duplicate_uncounted",
    "random-id": "identity_split",
    "owner-ignored": "worked_by_both",
    "fence-ignored": "unfenced",
    "changes-uncounted": "untold_change",
    "repeat-believed": "untold_change",
    "escalation-repeats": "untold_severity",
    "members-cut-off": "lost_member",
    "retry-repeats": "retry_repeated",
    "severity-folded": "severe_held",
    "resolution-strays": "foreign_resolution",
    "resolution-closes-all": "closed_too_soon",
    "incident-miscounts": "incident_miscounted",
    "asks-for-each": "asked_twice",
    "route-by-itself": "route_changed",
    "route-forgotten": "route_changed",
    "silence-outlives-its-end": "silence_outlived",
    "critical-silenced": "critical_silenced",
    "silence-strays": "silence_strayed",
    "silence-hides": "silence_hides",
    "acknowledgement-lost": "escalated_acknowledged",
    "escalated-early": "escalated_early",
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The handlers log every simulated failure."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def caught(mutant: Mutant) -> Outcome | None:
    """What the first seeds say of a mutant that is on."""
    for seed in range(SEEDS):
        outcome = run(scenario_of(seed, mutant.consistency))
        if outcome.violation is not None:
            return outcome
    return None


@pytest.mark.parametrize("name", CAUGHT)
def test_mutant_is_caught_for_what_it_does(name: str) -> None:
    """By the rule that it breaks, within a few seeds."""
    mutant = planted(name)
    with mutant.on():
        outcome = caught(mutant)
    assert outcome is not None
    assert outcome.violation is not None
    assert outcome.violation.rule == CAUGHT[name]


def test_mutant_leaves_no_trace() -> None:
    """When it is off again, every attribute is what it was."""
    before = [vars(target)[name] for mutant in MUTANTS for target, name, _ in mutant.changes]
    for mutant in MUTANTS:
        with mutant.on():
            assert all(vars(target)[name] is value for target, name, value in mutant.changes)
    assert [vars(target)[name] for mutant in MUTANTS for target, name, _ in mutant.changes] == before


def test_mutants_have_names_of_their_own() -> None:
    """And there are as many as were asked for."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 15


def test_shrinker_keeps_the_rule_and_leaves_little() -> None:
    """A storm of faults becomes an alert and its repeat, and replays."""
    mutant = planted("child-dropped")
    with mutant.on():
        found = caught(mutant)
        assert found is not None
        short = shrink(found)
        again = run(short.scenario)
    assert short.violation is not None
    assert again.violation == short.violation
    assert short.violation.rule == "unaccounted"
    assert len(short.scenario.arrivals) == 2
    assert not short.fired
    assert not short.scenario.incidents
    assert any("VIOLATION" in line for line in short.lines)


def test_shrinking_a_seed_that_keeps_every_promise_gives_its_history() -> None:
    """There is nothing to leave out."""
    outcome = shrink(run(scenario_of(0, "strong")))
    assert outcome.violation is None
    assert outcome.lines


def test_report_names_the_seeds_that_broke_a_promise() -> None:
    """With the command that shows each."""
    report = list(simulate(range(20), ("strong",), mutant=planted("no-rate-limit"), workers=1))[-1]
    assert not report.ok
    assert report.runs == 20
    written = report.as_json()
    assert written["violations"] == {"posted_without_slot": report.violations["posted_without_slot"]}
    assert report.failures[0].as_json()["replay"] == (
        f"responder simulate --seed {report.failures[0].seed} --consistency strong --shrink"
    )


def test_hunt_says_that_a_mutant_survived() -> None:
    """When its seeds are used up, as of a bug that does nothing."""
    (survivor,) = hunt([planted("no-takeover")], seeds=3, workers=1)
    assert survivor.failure is None
    assert survivor.as_json()["caught"] is False


def test_hunt_uses_several_processes() -> None:
    """Each mutant is hunted in one of them, and comes back with its seed."""
    hunted = list(hunt([planted("no-rate-limit"), planted("child-dropped")], seeds=20, workers=2))
    assert {one.name: one.failure.rule if one.failure else None for one in hunted} == {
        "no-rate-limit": "posted_without_slot",
        "child-dropped": "unaccounted",
    }


def test_unknown_mutant_is_refused_by_name() -> None:
    """With the names that there are."""
    with pytest.raises(UnknownMutantError, match="'nonsense' is no mutant; choose one of: random-id"):
        planted("nonsense")
