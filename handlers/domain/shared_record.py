"""One record of the coordination table, as one instance knows it: read, then changed under its version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.ports import Clock, Coordination, Record


@dataclass(kw_only=True, eq=False, repr=False)
class SharedRecord:
    """The record `name`. What was read or written last is kept; every value is 0 until one is written."""

    coordination: Coordination
    clock: Clock
    name: str
    _known: Record | None = field(default=None, init=False)
    _known_at_ms: int | None = field(default=None, init=False)

    @property
    def fresh(self) -> bool:
        """Whether what is known was read or written within `REMEMBERED_MS`, so that it may be acted on."""
        at_ms = self._known_at_ms
        return at_ms is not None and 0 <= self.clock.now_ms() - at_ms < REMEMBERED_MS

    def read(self) -> None:
        """Read it again.

        Raises:
            CoordinationUnavailableError: what is known stays as it was.
        """
        at_ms = self.clock.now_ms()
        self._known = self.coordination.read(self.name)
        self._known_at_ms = at_ms

    def value(self, name: str) -> int:
        """A value as last known."""
        return self._known.values.get(name, 0) if self._known else 0

    def write(self, changes: Mapping[str, int]) -> bool:
        """Change some values; False if somebody else has written since the last `read`.

        Raises:
            CoordinationUnavailableError: whether it was written is unknown.
        """
        before = self._known
        values = {**(before.values if before else {}), **changes}
        at_ms = self.clock.now_ms()
        if not self.coordination.write(self.name, before, values):
            return False
        self._known = Record(version=before.version + 1 if before else 1, values=values)
        self._known_at_ms = at_ms
        return True
