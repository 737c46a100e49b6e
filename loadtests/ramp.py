"""From nothing to more than the stack bears: `locust -f loadtests/ramp.py --per-s 40`."""

from collections.abc import Sequence

from loadtests.hosting import AlertSender, AlertShape

__all__ = ["AlertSender", "Ramp"]


class Ramp(AlertShape):
    """Shows at which rate answers begin to take longer: Locust's page draws both."""

    name = "ramp"
    per_s = 40.0
    seconds = 120.0

    def stages(self, per_s: float, seconds: float) -> Sequence[tuple[float, float, float]]:
        """A straight line."""
        return ((seconds, 0.0, per_s),)
