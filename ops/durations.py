"""Spans and points of time as people type them: `--for 2h`, `--until 2026-12-01T22:00:00+01:00`."""

import re
from typing import Final

import typer

from topology.silence_config import parse_time

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def end_of(*, now_s: int, lasting: str, until: str) -> int:
    """The epoch second that one of `--for` and `--until` means.

    Raises:
        typer.BadParameter: not one of both, or it is none, or not in the future.
    """
    if bool(lasting) == bool(until):
        raise typer.BadParameter("say when it ends: one of --for and --until")
    if lasting:
        span = _DURATION.fullmatch(lasting)
        if span is None:
            raise typer.BadParameter(f"--for: {lasting!r} is no time; allowed: such as 30m, 2h, 1d")
        return now_s + int(span[1]) * _UNITS_S[span[2]]
    end_s = parse_time(until)
    if end_s is None:
        raise typer.BadParameter(
            f"--until: {until!r} is no time with its offset; allowed: such as 2026-12-01T22:00:00+01:00"
        )
    if end_s <= now_s:
        raise typer.BadParameter(f"--until: {until} is in the past; name a later time")
    return end_s
