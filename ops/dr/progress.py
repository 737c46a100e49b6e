"""How the steps of a failover, failback or rebuild are shown while they run."""

from datetime import UTC, datetime
from typing import Final

import typer

from dr.operations.operation import StepEvent
from ops.hints import hinted

_MARKS: Final = {"begun": "…", "progress": " ", "done": "✓", "failed": "✗"}
_COLOURS: Final = {"done": "green", "failed": "red"}


def show_progress(event: StepEvent) -> None:
    """A line on stderr, which leaves stdout to `--json`."""
    line = f"{clock_time(event.at_ms)}  {_MARKS[event.state]} {event.step:<12} {hinted(event.detail)}"
    typer.secho(line, fg=_COLOURS.get(event.state), err=True)


def clock_time(at_ms: int) -> str:
    """Epoch milliseconds as a time of day in UTC, of what happens now."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%H:%M:%SZ")


def date_time(at_ms: int) -> str:
    """Epoch milliseconds as a date and time in UTC, of what may have happened last week."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
