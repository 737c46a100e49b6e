"""One record of the coordination table, as one instance knows it: read, then changed under its version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlers.domain.ports import Coordination, Record


@dataclass(kw_only=True)
class SharedRecord:
    """The record `name`. What was read or written last is kept; every value is 0 until one is written."""

    coordination: Coordination
    name: str
    _known: Record | None = field(default=None, init=False)

    def read(self) -> None:
        """Read it again.

        Raises:
            CoordinationUnavailableError: what is known stays as it was.
        """
        self._known = self.coordination.read(self.name)

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
        if not self.coordination.write(self.name, before, values):
            return False
        self._known = Record(version=before.version + 1 if before else 1, values=values)
        return True
