"""The drill's own source of alerts: a steady, numbered load that goes where the name points, with receipts.

It does what sources are told to do (`clients.sender`): where one region fails, the other is tried. Every try
goes to a file, from which the report draws what each region took in each second.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from clients.alert_source import AlertSource
from clients.lines import LinesFile, read_lines
from clients.load import Load, Post
from clients.schedules import Steady
from clients.sender import POST_TIMEOUT_S, Attempt, Tally, Webhook

PER_S: Final = 6.0
"""Two cores have to bear the load, two regions and the restore rehearsal, with room to catch up."""

SOURCE: Final = "responder-drill"
CAUSES: Final = 3
"""Few, so that the cache answers nearly every analysis."""

POSTS_AT_ONCE: Final = 2 * round(PER_S * POST_TIMEOUT_S)
"""A frozen region holds each post for its whole timeout; the pace must not break over it."""

NAME_TTL_S: Final = 1.0


@dataclass
class Prober:
    """A source at work. `leading` says where the name points; None without a name."""

    drill_id: str
    webhooks: tuple[Webhook, ...]
    receipts: Path
    attempts: Path
    leading: Callable[[], str | None] = lambda: None
    per_s: float = PER_S
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _leading: str | None = field(default=None, init=False)
    _first: int = field(default=0, init=False)
    _source: AlertSource = field(init=False)
    _pace: Steady = field(init=False)
    _load: Load = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is sent yet."""
        self._source = AlertSource(source=SOURCE, run=self.drill_id, causes=CAUSES)
        self._pace = Steady(self.per_s)
        self._load = Load(
            post=self._post,
            schedule=self._pace,
            receipts=self.receipts,
            at_once=POSTS_AT_ONCE,
            observe=lambda attempt: _append(self.attempts, attempt),
        )

    @property
    def died(self) -> bool:
        """Whether it ended by an error; `stop` says which."""
        return self._load.died

    def start(self) -> None:
        """Begin after the last number that was ever sent; returns at once."""
        self._leading = self.leading()
        threading.Thread(target=self._follow_name, daemon=True, name="prober-name").start()
        self._load.start()

    def burst(self, count: int) -> None:
        """Post the next `count` alerts at once, and go on at the pace after them."""
        self._pace.ahead += count

    def stop(self) -> Tally:
        """Post nothing new, wait until each post has its final answer, and say how it went.

        Raises:
            LoadFailedError: it had died, or does not end.
        """
        self._stopped.set()
        return self._load.stop()

    def _post(self, number: int) -> Post:
        if number == 0:
            self._first = read_log(self.attempts).posted
        number += self._first
        _append(self.attempts, Numbered(number=number))
        return self._source.post(number, self._order())

    def _order(self) -> tuple[Webhook, ...]:
        """The webhooks as a source tries them: where the name points first, the primary without a name."""
        return tuple(
            sorted(
                self.webhooks,
                key=lambda webhook: webhook.region != self._leading and self._leading is not None,
            )
        )

    def _follow_name(self) -> None:
        """Ask where the name points, as a resolver whose answers live `NAME_TTL_S`; keep the last answer."""
        while not self._stopped.wait(NAME_TTL_S):
            self._leading = self.leading() or self._leading


@dataclass(frozen=True)
class Numbered:
    """The number that is about to be sent: on disk before the post, so that it is never used twice."""

    number: int


@dataclass(frozen=True)
class ProbeLog:
    """What a drill sent: how many alerts, numbered from 0, and every try by the time of its answer."""

    posted: int
    attempts: tuple[Attempt, ...]


def read_log(path: Path) -> ProbeLog:
    """All of a drill, the processes that died in it included; a line that a kill cut off is left out."""
    lines = list(_lines(path))
    attempts = [msgspec.convert(line, Attempt) for line in lines if "sent_at_ms" in line]
    return ProbeLog(
        posted=sum("number" in line for line in lines),
        attempts=tuple(sorted(attempts, key=lambda attempt: attempt.answered_at_ms)),
    )


def _append(log: Path, line: Attempt | Numbered) -> None:
    with LinesFile(log) as out:
        out.add(line)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in read_lines(file, msgspec.json.Decoder(dict[str, Any]).decode):
            if isinstance(line, dict):
                yield line
