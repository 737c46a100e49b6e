"""Stock Locust against the frozen webhook of `benchmarks.open_model`, which runs this file.

Fifty users at one post a second each; it prints how many of their posts took as long as people would notice.
"""

import os
import sys

from locust import HttpUser, constant_throughput, events, task

LONG_MS = float(os.environ["LONG_MS"])
_long: list[float] = []


class Source(HttpUser):
    """A user as Locust's documentation has it: it waits for its answer before it posts again."""

    wait_time = constant_throughput(1)

    @task
    def post(self) -> None:
        """Post one alert."""
        self.client.post("/", json={"title": "an alert"})


@events.request.add_listener  # type: ignore[untyped-decorator] # Locust's
def _count(response_time: float, **_: object) -> None:
    if response_time >= LONG_MS:
        _long.append(response_time)


@events.quit.add_listener  # type: ignore[untyped-decorator] # Locust's
def _print(**_: object) -> None:
    sys.stdout.write(f"long {len(_long)}\n")
