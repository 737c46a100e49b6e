"""Measures what a fresh local stack takes: `make bench-rate`, or `python -m benchmarks.rate --per-s 10`.

It brings a stack up and, as soon as that returns, posts to both regions at the rate. It prints how each
region answered, and exits 1 unless every try was answered 202.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from benchmarks.local_stack import local_stack
from clients.alert_source import AlertSource
from clients.load import Load
from clients.schedules import Steady
from clients.sender import POST_TIMEOUT_S, Attempt, Webhook
from emulator.local_stack import TAKES_PER_S

SECONDS: Final = 20.0


@dataclass
class _Region:
    """One region under load, and its answers: how many of each status, and after how long each came."""

    webhook: Webhook
    load: Load = field(init=False)
    statuses: Counter[int | None] = field(default_factory=Counter)
    latencies_ms: list[int] = field(default_factory=list)

    def start(self, receipts: Path, per_s: float) -> None:
        source = AlertSource(source=f"rate-{self.webhook.region}", flapping=True)
        self.load = Load(
            post=lambda number: source.post(number, (self.webhook,)),
            schedule=Steady(per_s),
            receipts=receipts,
            at_once=round(per_s * POST_TIMEOUT_S),
            observe=self._note,
        )
        self.load.start()

    def _note(self, attempt: Attempt) -> None:
        self.statuses[attempt.status] += 1
        self.latencies_ms.append(attempt.answered_at_ms - attempt.sent_at_ms)

    def show(self) -> None:
        self.latencies_ms.sort()
        median, last = self.latencies_ms[len(self.latencies_ms) // 2], self.latencies_ms[-1]
        _say(f"{self.webhook.region}: {dict(self.statuses)}, median {median} ms, slowest {last} ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring a stack up, post, print the answers, take the stack down; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--per-s", type=float, default=TAKES_PER_S, help="alerts a second to each region")
    per_s = parser.parse_args(arguments).per_s
    begun = time.monotonic()
    with local_stack() as (emulator, deployment):
        regions = [
            _Region(Webhook(each.region, each.webhook_url, deployment.api_key(each)))
            for each in deployment.regions
        ]
        _say(f"up after {time.monotonic() - begun:.1f} s; {per_s:g} alerts a second to each region")
        for number, region in enumerate(regions):
            region.start(emulator.run_dir.with_name(f"receipts-{number}"), per_s)
        time.sleep(SECONDS)
        for region in regions:
            region.load.stop()
            region.show()
    return 0 if all(set(region.statuses) == {HTTPStatus.ACCEPTED} for region in regions) else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main())
