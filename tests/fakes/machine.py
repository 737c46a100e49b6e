"""The clock, sleep, randomness and threads, under the test's control."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

START_MS = 1_795_420_800_000
"""2026-11-23T08:00:00Z; a multiple of 300 s and of an hour, so both dedupe buckets begin here."""


@dataclass
class FakeClock:
    """`Clock` and `Sleeper`: time moves when told to, or by sleeping."""

    ms: int = START_MS
    slept_s: list[float] = field(default_factory=list)

    def now_ms(self) -> int:
        """See `Clock`."""
        return self.ms

    def sleep(self, seconds: float) -> None:
        """See `Sleeper`."""
        self.slept_s.append(seconds)
        self.ms += round(seconds * 1000)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)

    @property
    def s(self) -> int:
        """Epoch seconds."""
        return self.ms // 1000


@dataclass
class FakeRandomness:
    """`Randomness` that counts up; `fraction` is a half, so jitter is none, unless `fractions` are given."""

    count: int = 0
    fractions: list[float] = field(default_factory=list)

    def hex(self, digits: int) -> str:
        """See `Randomness`."""
        self.count += 1
        return f"{self.count:0{digits}x}"

    def fraction(self) -> float:
        """See `Randomness`."""
        return self.fractions.pop(0) if self.fractions else 0.5


@dataclass
class SerialExecutor:
    """`Executor` without threads. `late`: a call takes longer than its caller's patience."""

    late: bool = False

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """See `Executor`."""
        return [function(item) for item in items]

    def overlap(self, call: Callable[[], R], *, patience_s: float, meanwhile: Callable[[], None]) -> R:
        """See `Executor`."""
        assert patience_s > 0
        if self.late:
            meanwhile()
        return call()
