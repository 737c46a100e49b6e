"""A moderate rate for an hour: `locust -f loadtests/soak.py`."""

from loadtests.hosting import AlertSender, AlertShape

__all__ = ["AlertSender", "Soak"]


class Soak(AlertShape):
    """What grows: memory, queues, the time of a post."""

    name = "soak"
    per_s = 5.0
    seconds = 3_600.0
    causes = 64
