"""What people say to commands in the same way everywhere: who says so, since when, and how long it holds."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from topology.silence_config import parse_time

By = Annotated[str, typer.Option("--by", help="Who says so.")]
For = Annotated[str, typer.Option("--for", help="For how long, such as 30m, 2h, 1d.")]
Until = Annotated[str, typer.Option(help="Until when, such as 2026-12-01T22:00:00+01:00.")]

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")


def moment_ms(text: str, *, now_ms: int) -> int:
    """Parse a time into epoch milliseconds: `90s`, `30m`, `2h` or `7d` ago, or ISO 8601.

    Raises:
        typer.BadParameter: `text` is no time; a time of day needs its offset, as in `2026-11-23T08:00:00Z`.
    """
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return now_ms - int(ago[1]) * _UNITS_S[ago[2]] * 1_000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is not a time; give 30m, 2h or 7d, or 2026-11-23T08:00:00Z")
    return round(at.timestamp() * 1_000)


def end_of(*, now_s: int, lasting: str, until: str) -> int:
    """The epoch second that one of `--for` and `--until` means.

    Raises:
        typer.BadParameter: not one of both, or it is none, or not in the future.
    """
    if bool(lasting) == bool(until):
        raise typer.BadParameter("say when it ends: one of --for and --until")
    if lasting:
        return now_s + span_of("--for", lasting)
    end_s = parse_time(until)
    if end_s is None:
        raise typer.BadParameter(
            f"--until: {until!r} is no time with its offset; allowed: such as 2026-12-01T22:00:00+01:00"
        )
    if end_s <= now_s:
        raise typer.BadParameter(f"--until: {until} is in the past; name a later time")
    return end_s


def span_of(option: str, text: str) -> int:
    """The seconds that were typed for `option`, such as 30m.

    Raises:
        typer.BadParameter: it is none.
    """
    span = _DURATION.fullmatch(text)
    if span is None:
        raise typer.BadParameter(f"{option}: {text!r} is no time; allowed: such as 30m, 2h, 1d")
    return int(span[1]) * _UNITS_S[span[2]]


def shown_time(at_s: int) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def shown_age(seconds: float) -> str:
    """An age in its largest unit: `40s`, `12m`, `5h` or `3d`."""
    for unit in ("d", "h", "m"):
        if seconds >= _UNITS_S[unit]:
            return f"{int(seconds // _UNITS_S[unit])}{unit}"
    return f"{max(int(seconds), 0)}s"


def checked_text(option: str, text: str, limit: int) -> str:
    """What was typed for `option`, if it can be kept and shown.

    Raises:
        typer.BadParameter: it cannot.
    """
    if not text.strip() or len(text) > limit or not text.isprintable():
        raise typer.BadParameter(f"{option}: allowed: 1 to {limit} printable characters")
    return text.strip()
