"""A quiet rate, ten times as much for a while, and quiet again: `locust -f loadtests/spike.py`."""

from collections.abc import Sequence

from loadtests.hosting import AlertSender, AlertShape

__all__ = ["AlertSender", "Spike"]

_TIMES: float = 10.0


class Spike(AlertShape):
    """What a sudden burst does to those after it."""

    name = "spike"
    per_s = 30.0
    seconds = 60.0

    def stages(self, per_s: float, seconds: float) -> Sequence[tuple[float, float, float]]:
        """The spike is the middle third."""
        quiet, third = per_s / _TIMES, seconds / 3
        return ((third, quiet, quiet), (third, per_s, per_s), (third, quiet, quiet))
