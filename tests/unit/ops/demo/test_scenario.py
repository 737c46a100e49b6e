"""The demo's own checks can fail."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.demo.scenario import DemoFailedError, wait_in_slack


def _wait(ids: set[str], *in_slack: str) -> None:
    messages: Any = [SimpleNamespace(alert_ids=(one,)) for one in in_slack]
    wait_in_slack(frozenset(ids), lambda: messages, within_s=0, logs=Path("run/logs"))


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
