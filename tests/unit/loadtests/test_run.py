"""A run ends with a report that says what is missing: a rate, a worker, an alert, a sample."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtests.figures import Accepted, Histogram, Snapshot
from loadtests.headless import LoadNotRunError, read_report
from loadtests.report import LoadReport
from loadtests.run import Conditions, Run
from loadtests.shard import Order
from loadtests.slo import Threshold
from loadtests.target import Target

TARGET = Target("stub", ())
STEADY = ((1.0, 100.0, 100.0),)


class Led:
    """A run of two shards that tests play, on a target of which nothing but answers is known."""

    def __init__(self, folder: Path, *thresholds: Threshold) -> None:
        """A hundred posts are due."""
        order = Order(
            shape="steady", run="r", begin_at=time.time(), webhooks=(("east", "http://stub", "key"),),
            stages=STEADY, receipts=str(folder), of=2,
        )  # fmt: skip
        self.lost: set[int] = set()
        self.stopped = 0
        self.run = Run(
            TARGET, order, thresholds=thresholds, rest_within_s=1, told=lambda *_: None,
            lost=lambda: self.lost, conditions=Conditions(TARGET),
        )  # fmt: skip

    def shard(self, index: int, *, posted: int = 50, on_time: int | None = None, **settings: Any) -> None:
        """Tell of a shard."""
        run = str(settings.pop("run", "r"))
        http = Histogram()
        for _ in range(posted):
            http.add(20)
        values = {
            "posted": posted,
            "on_time": posted if on_time is None else on_time,
            "accepted": posted,
            "alerts": [Accepted(f"a{index}-{n}", 1, "HIGH") for n in range(posted)],
            "answers": {"202": posted},
            "over": True,
            **settings,
        }
        self.run.merge(Snapshot(run=run, index=index, due=50, http=http.encode(), **values))

    def report(self) -> LoadReport:
        """The report."""
        return self.run.watch(lambda: None, self._stop)

    def _stop(self) -> None:
        self.stopped += 1
        for index in range(2):
            self.shard(index, posted=10)


def test_what_all_shards_did_is_one_report(tmp_path: Path) -> None:
    """With the sums of their counts and the percentiles of all their samples."""
    led = Led(tmp_path, Threshold("http_ms.p95", at_most=True, bound=25))
    led.shard(0)
    led.shard(1)
    report = led.report()
    assert report.passed, report.failures
    assert (report.due, report.posted, report.accepted, report.http_ms.count) == (100, 100, 100, 100)
    assert report.achieved_percent == 100


def test_a_breach_is_told_by_its_metric(tmp_path: Path) -> None:
    """And the report did not pass."""
    led = Led(tmp_path, Threshold("http_ms.p95", at_most=True, bound=19))
    led.shard(0)
    led.shard(1)
    assert led.report().failures == ("http_ms.p95 is 20, not <= 19",)


@pytest.mark.parametrize(("on_time", "passes"), [(49, True), (48, False)])
def test_a_run_that_does_not_reach_its_rate_fails_and_says_so(
    tmp_path: Path,
    on_time: int,
    passes: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Ninety-nine of a hundred posts in time are enough, ninety-eight are not."""
    led = Led(tmp_path)
    led.shard(0, on_time=50)
    led.shard(1, on_time=on_time)
    failures = led.report().failures
    assert passes == (not failures)
    assert passes or "the target was not put on" in failures[0]


def test_a_lost_workers_posts_show_as_never_sent(tmp_path: Path) -> None:
    """Whatever is known of it counts, and the run ends without waiting for it."""
    led = Led(tmp_path)
    led.shard(0)
    led.shard(1, posted=20, over=False)
    led.lost = {1}
    report = led.report()
    assert (report.never_sent, report.workers_lost, report.posted) == (30, 1, 70)
    assert "1 of 2 workers were lost" in report.failures[0]


def test_a_worker_that_was_lost_before_it_told_anything_sent_nothing(tmp_path: Path) -> None:
    """All of its posts are never sent."""
    led = Led(tmp_path)
    led.shard(0)
    led.lost = {1}
    assert led.report().never_sent == 50


def test_a_worker_that_is_gone_once_it_has_sent_all_is_not_lost(tmp_path: Path) -> None:
    """Its work is done."""
    led = Led(tmp_path)
    led.shard(0)
    led.shard(1)
    led.lost = {1}
    assert led.report().passed


def test_a_run_that_is_stopped_reports_what_was_sent_and_fails(tmp_path: Path) -> None:
    """After the shards were told to stop, once."""
    led = Led(tmp_path)
    led.run.end_early("it was stopped before its end")
    report = led.report()
    assert (report.posted, led.stopped) == (20, 1)
    assert "it was stopped before its end" in report.failures


def test_a_load_that_died_says_of_what(tmp_path: Path) -> None:
    """In the report of all."""
    led = Led(tmp_path)
    led.shard(0)
    led.shard(1, error="the load died after 3 posts: disk full")
    assert "the load died after 3 posts: disk full" in led.report().failures


def test_accepted_alerts_that_no_worker_reported_are_missed(tmp_path: Path) -> None:
    """A message between processes may get lost, and with it the ids."""
    led = Led(tmp_path)
    led.shard(0)
    led.shard(1, alerts=[])
    assert "50 accepted alerts were not reported" in led.report().failures[0]


def test_a_snapshot_of_an_earlier_run_counts_for_nothing(tmp_path: Path) -> None:
    """A worker may tell of what it did before it takes the next order."""
    led = Led(tmp_path)
    led.shard(0, run="earlier", posted=7)
    led.shard(0)
    led.shard(1)
    assert led.report().posted == 100


def test_a_run_in_which_nothing_was_accepted_shows_nothing(tmp_path: Path) -> None:
    """Even if it met its thresholds."""
    led = Led(tmp_path)
    for index in range(2):
        led.shard(index, accepted=0, alerts=[])
    assert any("no alert was accepted" in failure for failure in led.report().failures)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Its schema is for scripts."""
    led = Led(tmp_path)
    led.shard(0)
    led.shard(1)
    report = led.report()
    report.write(tmp_path / "report.json")
    again = read_report(tmp_path / "report.json")
    assert msgspec.to_builtins(again) == msgspec.to_builtins(report)
    assert "100.0 of 100.0 posts/s, accepted 100, HTTP p95 0.02 s" in report.summary()
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(LoadNotRunError, match="no report of a load test"):
        read_report(tmp_path / "report.json")
