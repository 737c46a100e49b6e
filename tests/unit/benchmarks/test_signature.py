"""What `make bench-signature` measures."""

import json

import pytest

from benchmarks.signature.__main__ import main
from benchmarks.signature.corpus import StreamAlert, load_sets, load_stream
from benchmarks.signature.scores import CACHE_TTL_S, cache_use, grouping


def test_a_group_is_right_when_it_has_just_the_lines_of_a_true_one() -> None:
    """A true group that was split and one that took in another's line count as wrong altogether."""
    truth = ["a", "a", "a", "b", "b", "c", "d", "d"]
    groups = ["1", "1", "1", "2", "3", "4", "5", "4"]
    score = grouping(groups, truth)
    assert score.ga == pytest.approx(3 / 8)
    assert score.fga == pytest.approx(2 * 1 / (5 + 4))


def test_a_hit_on_the_answer_to_another_fault_is_wrong() -> None:
    """Calls are counted against an oracle that knows the faults; an entry lives for the cache's time."""
    times = (0, 1, 2, 3, CACHE_TTL_S, CACHE_TTL_S + 4)
    faults = ("a", "b", "a", "c", "a", "c")
    stream = [StreamAlert(at_s, "s", "", fault, fault) for at_s, fault in zip(times, faults, strict=True)]
    use = cache_use(["1", "1", "1", "2", "1", "2"], stream)
    assert (use.calls, use.calls_by_oracle) == (4, 4 / 5)
    assert use.hit_rate == pytest.approx(2 / 6)
    assert use.wrong == pytest.approx(1 / 2)


def test_the_corpus_of_our_own_gives_figures_without_other_data(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every way is scored on every set, in one run."""
    monkeypatch.delenv("LOGHUB_DIR", raising=False)
    monkeypatch.delenv("STREAM", raising=False)
    assert main(["--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"signature", "drain3", "logfold", "masks"}
    names = {log_set.name for log_set in load_sets(None)}
    assert all(set(one["sets"]) == names | {"mean"} for one in figures.values())
    assert figures["signature"]["stream"]["message"]["wrong"] <= 0.003


def test_the_stream_of_our_own_is_the_same_in_every_run() -> None:
    """So figures of two runs compare."""
    assert load_stream(None) == load_stream(None)
