"""The primary region dies under load and comes back: `locust -f loadtests/failover.py`."""

import logging
import time

from loadtests.hosting import AlertSender, AlertShape
from loadtests.shard import Order
from loadtests.target import Target

__all__ = ["AlertSender", "Failover"]

_log = logging.getLogger(__name__)


class Failover(AlertShape):
    """Sources post to the primary and turn to the other region by themselves."""

    name = "failover"
    per_s = 8.0
    seconds = 90.0
    both_regions = False

    def during(self, target: Target, order: Order) -> None:
        """Kill the primary after a third of the load, and start it after two; elsewhere say what to do."""
        third = sum(seconds for seconds, _, _ in order.stages) / 3
        primary = target.webhooks[0].region
        time.sleep(max(0.0, order.begin_at - time.time()) + third)
        if target.emulator is None:
            _log.warning("take %s from the sources now, and give it back in %g s", primary, third)
            return
        if self.over:
            return
        target.emulator.kill(primary)
        _log.warning("killed %s", primary)
        time.sleep(third)
        target.emulator.start_region(primary)
        _log.warning("started %s", primary)
