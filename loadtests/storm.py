"""A thousand alerts a minute for three minutes, of forty causes: `locust -f loadtests/storm.py`."""

from loadtests.hosting import AlertSender, AlertShape

__all__ = ["AlertSender", "Storm"]


class Storm(AlertShape):
    """What people on call feel in the middle of it; the cache answers most, as in a real storm."""

    name = "storm"
    per_s = 1_000 / 60
    seconds = 180.0
    critical_percent = 2.0
    rest_within_s = 300.0
    causes = 40
