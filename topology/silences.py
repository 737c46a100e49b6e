"""Silences: of which alerts nobody is told for a while, by the configuration or by `responder silence`.

`topology.silence_config` makes them of the configuration, and the deployment puts these into the environment
of analysis; those that people made are one record, `topology.records.SILENCES`, which `clients.silences`
writes. `handlers.domain.silences` asks both.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from topology.alerts import Severity
from topology.matchers import Described, Matcher, parse_matcher
from topology.packing import packed, unpacked

MAX_SILENCES: Final = 100
"""Of the record, those among them that ended a while ago."""

MAX_STORED_CHARS: Final = 65_536
"""Of the record: each worker reads it again every few seconds."""

MAX_SILENCES_CHARS: Final = 1_024
"""Of all configured ones in one environment, of Lambda's 4,096 bytes
(`topology.limits.LAMBDA_ENVIRONMENT_MAX_BYTES`)."""

MAX_REASON_CHARS: Final = 200
MAX_BY_CHARS: Final = 80


@dataclass(frozen=True, kw_only=True)
class Silence:
    """From `from_s` until before `until_s` (epoch seconds) nobody is told of what `matcher` matches.

    CRITICAL alerts are told all the same, unless it is `critical`. `due_s`: its ends that were, before
    somebody changed them; what was silenced until then waits for one of them still.
    """

    silence_id: str
    matcher: Matcher
    from_s: int
    until_s: int
    reason: str
    by: str = ""
    critical: bool = False
    due_s: tuple[int, ...] = ()

    def covers(self, alert: Described, *, now_s: int) -> bool:
        """Whether nobody is told of `alert` now."""
        return (
            self.from_s <= now_s < self.until_s
            and (self.critical or alert.severity != Severity.CRITICAL)
            and self.matcher.matches(alert)
        )

    @property
    def parts(self) -> dict[str, object]:
        """What `of` takes."""
        return {**vars(self), "matcher": self.matcher.parts, "due_s": [*self.due_s]}

    @classmethod
    def of(cls, given: object) -> Self:
        """Make one of its `parts`.

        Raises:
            ValueError: they are none.
        """
        if not isinstance(given, Mapping):
            raise ValueError(f"a silence is a mapping, not {given!r:.50}")  # noqa: TRY004 - as of the others
        problems: list[str] = []
        matcher = parse_matcher("matcher", given.get("matcher"), problems)
        parts = {"by": "", "critical": False, **given, "matcher": matcher, "due_s": given.get("due_s", ())}
        try:
            silence = cls(**{**parts, "due_s": tuple(parts["due_s"])})
        except TypeError as error:
            raise ValueError(f"no silence: {error}") from error
        texts = (silence.silence_id, silence.reason, silence.by)
        numbers = (silence.from_s, silence.until_s, *silence.due_s)
        well_formed = all(isinstance(text, str) for text in texts) and all(type(n) is int for n in numbers)
        if problems or not well_formed or type(silence.critical) is not bool:
            raise ValueError(f"no silence: {'; '.join(problems) or str(given)[:200]}")
        return silence


def packed_silences(silences: Sequence[Silence]) -> str:
    """The value of a variable of the environment; empty for no silences."""
    return packed([silence.parts for silence in silences])


def unpacked_silences(text: str) -> tuple[Silence, ...]:
    """Read what `packed_silences` wrote."""
    return tuple(map(Silence.of, unpacked(text)))


def stored_text(silences: Sequence[Silence]) -> str:
    """The text of the record."""
    return json.dumps([silence.parts for silence in silences], separators=(",", ":"), ensure_ascii=False)


def read_stored(text: str) -> tuple[Silence, ...]:
    """Read what `stored_text` wrote.

    Raises:
        ValueError: it is something else.
    """
    given = json.loads(text)
    if not isinstance(given, list):
        raise ValueError("the silences are a list")  # noqa: TRY004 - one error for all that is malformed
    return tuple(map(Silence.of, given))
