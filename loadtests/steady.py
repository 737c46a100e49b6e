"""The same rate all along: `locust -f loadtests/steady.py`."""

from loadtests.hosting import AlertSender, AlertShape

__all__ = ["AlertSender", "Steady"]


class Steady(AlertShape):
    """What a stack bears for long."""

    name = "steady"
    per_s = 6.0
    critical_percent = 6.0
