"""The readable history of a run: kept only where somebody will read it, since most seeds go well."""

from dataclasses import dataclass, field

from simulator.scheduler import START_MS


@dataclass(kw_only=True)
class History:
    """Lines of (virtual time, who, what), in order."""

    kept: bool
    lines: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, at_ms: int, who: str, what: str) -> None:
        """One line, if lines are kept."""
        if self.kept:
            self.lines.append((at_ms, who, what))

    def text(self) -> list[str]:
        """Such as `+00:01:02.345  us-east-1/analysis/a3f#1  ledger.replace a3f: RECEIVED`."""
        width = max((len(who) for _, who, _ in self.lines), default=0)
        return [f"{clock(at_ms)}  {who:<{width}}  {what}" for at_ms, who, what in self.lines]


def short(alert_id: str) -> str:
    """An id as the history shows it: enough of it, and of what makes a repeat's its own."""
    root, _, suffix = alert_id.partition(".")
    return f"{root[:8]}.{suffix[:4]}" if suffix else root[:8]


def clock(at_ms: int) -> str:
    """Virtual time since the start, as `+hh:mm:ss.mmm`."""
    seconds, ms = divmod(at_ms - START_MS, 1_000)
    return f"+{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
