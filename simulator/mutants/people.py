"""Bugs in what people ask for: silences, acknowledgements and a second way."""

from collections.abc import Iterator
from typing import Any, Final

from handlers.domain.alert import Alert
from handlers.domain.regions.escalations import Escalations
from handlers.domain.regions.silence_ends import SilenceEnds
from simulator import people
from simulator.mutants.mutant import mutant
from topology.alerts import Severity
from topology.silences import Silence


def _for_good(self: Silence, alert: Any, *, now_s: int) -> bool:
    """It does not end."""
    told_all_the_same = alert.severity == Severity.CRITICAL and not self.critical
    return self.from_s <= now_s and not told_all_the_same and self.matcher.matches(alert)


def _critical_too(self: Silence, alert: Any, *, now_s: int) -> bool:
    """CRITICAL alerts are silenced unsaid."""
    return self.from_s <= now_s < self.until_s and self.matcher.matches(alert)


def _whatever(self: Silence, alert: Any, *, now_s: int) -> bool:
    """Whatever it is about."""
    return self.from_s <= now_s < self.until_s and alert.severity != Severity.CRITICAL


def _nothing(*_: Any, **__: Any) -> Iterator[Any]:
    """Nobody looks."""
    return iter(())


def _no_news(_self: SilenceEnds, _alert: Alert, _events: Any) -> bool:
    """What was silenced is known to people."""
    return False


def _unheard(alert: Alert, **_: Any) -> Alert:
    """An acknowledgement is answered, and not kept."""
    return alert


def _at_once(_self: Escalations, alert: Alert, _now_s: int) -> bool:
    """The second way is taken at the first look."""
    return alert.escalated_at is None


MUTANTS: Final = (
    mutant("silence-outlives-its-end", "a silence hides what comes after it", (Silence, "covers", _for_good)),
    mutant("critical-silenced", "CRITICAL alerts are silenced unsaid", (Silence, "covers", _critical_too)),
    mutant("silence-strays", "a silence hides what it does not match", (Silence, "covers", _whatever)),
    mutant("silence-never-over", "nobody looks at what a silence hid", (SilenceEnds, "due", _nothing)),
    mutant("silence-hides", "what a silence hid stays untold", (SilenceEnds, "_is_news", _no_news)),
    mutant("acknowledgement-lost", "an acknowledgement is not kept", (people, "acknowledged", _unheard)),
    mutant("escalated-early", "nobody has the time to acknowledge", (Escalations, "_has_waited", _at_once)),
    mutant("never-escalated", "the second way is never taken", (Escalations, "_found", _nothing)),
)
