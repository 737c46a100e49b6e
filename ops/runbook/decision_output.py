"""How decisions about an event are printed: for people a line each, for scripts with their figures."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ops.options import printable
from runbook.why.decision import Decision


def decision_lines(decisions: Sequence[Decision]) -> Iterator[str]:
    """A line each: when, which rule, what it came to, and where that is known from."""
    width = max((len(decision.rule) for decision in decisions), default=0)
    for decision in decisions:
        yield printable(
            f"  {_clock(decision.at_ms)}  {decision.rule:{width}}  {decision.what} [{decision.known_from}]"
        )


def decision_as_json(decision: Decision) -> dict[str, Any]:
    """The decision for a script."""
    return {
        "rule": decision.rule,
        "what": decision.what,
        "at_ms": decision.at_ms,
        "figures": dict(decision.figures),
        "known_from": decision.known_from,
    }


def _clock(at_ms: int | None) -> str:
    if at_ms is None:
        return " " * 19
    at = datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(sep=" ", timespec="milliseconds")
    return at[4 + 1 : 23] + "Z"
