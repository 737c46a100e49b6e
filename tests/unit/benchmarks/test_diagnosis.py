"""The measure of `responder diagnose` is a strict one, and draws the same pairs by the same seed."""

import pytest

from benchmarks.diagnosis.__main__ import outcome_of
from benchmarks.diagnosis.faults import PAIRS, Fault, pairs, singles
from runbook.diagnosis.rules import RULES


def fault(cause: str) -> Fault:
    """A fault that one cause names."""
    return Fault(cause, frozenset({cause}), lambda *_: None)


A, B = fault("a"), fault("b")


@pytest.mark.parametrize(
    ("named", "demanded", "outcome"),
    [
        (["a", "b"], [A, B], "right"),
        (["b", "a", "c"], [A, B], "right"),
        (["a"], [A], "right"),
        (["a"], [A, B], "unknown"),
        ([], [A, B], "unknown"),
        (["c", "a", "b"], [A, B], "wrong"),
    ],
)
def test_the_first_cause_has_to_be_planted_and_all_that_fired_named(
    named: list[str], demanded: list[Fault], outcome: str
) -> None:
    """A cause that was not planted is wrong where it comes first."""
    assert outcome_of(named, [A, B], demanded) == outcome


def test_pairs_are_drawn_by_seed_and_each_fault_has_a_cause_that_there_is() -> None:
    """Two different actions each; another seed draws others."""
    names = [[one.name for one in pair] for pair in pairs(15)]
    assert names == [[one.name for one in pair] for pair in pairs(15)]
    assert names != [[one.name for one in pair] for pair in pairs(16)]
    assert [len({name.partition(" ")[0] + name[-3:] for name in pair}) for pair in names] == [2] * PAIRS
    drawn = [*singles(), *(one for pair in pairs(15) for one in pair)]
    assert {cause for one in drawn for cause in one.causes} <= {rule.id for rule in RULES}
