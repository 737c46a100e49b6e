"""A secret with a scripted value."""

from handlers.adapters.aws.secrets import Secret


class FakeSecret(Secret):
    """Gives its values one after the other, each `fresh` read the next; an exception is raised instead."""

    def __init__(self, *values: str | Exception) -> None:
        """The last value stays."""
        self._values = list(values)

    def value(self, *, fresh: bool = False) -> str:
        """See `Secret`."""
        if fresh and len(self._values) > 1:
            self._values.pop(0)
        value = self._values[0]
        if isinstance(value, Exception):
            raise value
        return value
