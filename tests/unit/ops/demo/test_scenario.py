"""The demo's own checks can fail."""

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.demo import scenario
from ops.demo.scenario import DemoFailedError, wait_in_slack


def _wait(ids: set[str], *in_slack: str) -> None:
    messages: Any = [SimpleNamespace(alert_ids=(one,)) for one in in_slack]
    asyncio.run(wait_in_slack(frozenset(ids), lambda: messages, within_s=0, logs=Path("run/logs")))


@pytest.mark.parametrize(
    ("ids", "said"), [({"a1"}, "a1 is not in Slack after 0 s"), (set(), "no region accepted")]
)
def test_a_first_alert_that_never_reaches_slack_fails_the_demo(ids: set[str], said: str) -> None:
    """With where to look."""
    with pytest.raises(DemoFailedError, match=f"{said}.*run/logs"):
        _wait(ids, "another")


def test_a_first_alert_that_is_in_slack_is_waited_for_no_longer() -> None:
    """One of its ids is enough."""
    _wait({"a1", "a2"}, "another", "a2")


class SlowEmulator:
    """An emulator that takes until `go` is set to start."""

    go = threading.Event()
    starting = threading.Event()
    stopped = False

    @classmethod
    def start(cls, *_: object, **__: object) -> "SlowEmulator":
        """Start in a thread, which nothing can cancel."""
        cls.starting.set()
        assert cls.go.wait(10)
        return cls()

    def stop(self) -> None:
        """End every process."""
        type(self).stopped = True


def test_a_demo_that_is_interrupted_while_its_regions_start_stops_them_before_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Otherwise it says that nothing is left running while the supervisor still runs."""
    monkeypatch.setattr(scenario, "Emulator", SlowEmulator)

    async def interrupted() -> None:
        demo = asyncio.create_task(scenario._started(tmp_path))  # noqa: SLF001 - the step that is interrupted
        await asyncio.to_thread(SlowEmulator.starting.wait, 10)
        demo.cancel()
        asyncio.get_running_loop().call_later(0.05, SlowEmulator.go.set)
        with pytest.raises(asyncio.CancelledError):
            await demo

    asyncio.run(interrupted())
    assert SlowEmulator.stopped
