"""What a load tells of a webhook that freezes for 5 s at 50 a second: `python -m benchmarks.open_model`.

250 posts are due while it is frozen, and those due in its first 4 s take a second or more. The open model has
a sample of each; stock Locust's `constant_throughput` only of those that its users had under way. It exits 1
if the open model has fewer than `AT_LEAST`. The effect's name is coordinated omission.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from clients.load import Arrival
from loadtests.shard import Order, Shard

PER_S: Final = 50
FROZEN_AFTER_S: Final = 2.0
FROZEN_S: Final = 5.0
LONG_S: Final = 1.0
AT_LEAST: Final = 190
DUE: Final = round(PER_S * FROZEN_S)
_AFTER_S: Final = 1.0
_ANSWER: Final = b'{"alerts": []}'
_WITHIN_S: Final = 60.0


class FreezingWebhook(ThreadingHTTPServer):
    """Answers every post 202, but for `FROZEN_S` seconds that begin `FROZEN_AFTER_S` after the first one."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.first_at: float | None = None
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def wait(self) -> None:
        """Wait until it is not frozen."""
        now = time.monotonic()
        self.first_at = self.first_at or now
        begins = self.first_at + FROZEN_AFTER_S
        if begins <= now < begins + FROZEN_S:
            time.sleep(begins + FROZEN_S - now)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FreezingWebhook

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.wait()
        self.send_response(202)
        self.send_header("Content-Length", str(len(_ANSWER)))
        self.end_headers()
        self.wfile.write(_ANSWER)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def open_model() -> int:
    """How many posts of the open model took `LONG_S` or more from when they were due."""
    webhook, arrivals = FreezingWebhook(), list[Arrival]()
    with tempfile.TemporaryDirectory(prefix="open-model-") as folder:
        order = Order(
            shape="open-model",
            run="benchmark",
            begin_at=time.time() + 0.1,
            webhooks=(("stub", f"{webhook.url}/", "key"),),
            stages=((FROZEN_AFTER_S + FROZEN_S + _AFTER_S, PER_S, PER_S),),
            receipts=folder,
        )
        shard = Shard(order, arrivals.append)
        shard.start()
        deadline = time.monotonic() + _WITHIN_S
        while not shard.snapshot().over and time.monotonic() < deadline:
            time.sleep(0.1)
    webhook.shutdown()
    return sum(arrival.latency_s >= LONG_S for arrival in arrivals)


def stock() -> int:
    """How many posts of stock Locust's `constant_throughput` took `LONG_S` or more, by its own times."""
    webhook = FreezingWebhook()
    seconds = round(FROZEN_AFTER_S + FROZEN_S + _AFTER_S)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("constant_throughput.py"))),
            *("--headless", "-u", str(PER_S), "-r", str(PER_S), "-t", f"{seconds}s", "--host", webhook.url),
        ],
        env={**os.environ, "LONG_MS": str(LONG_S * 1000)}, capture_output=True, text=True, check=False,
        timeout=_WITHIN_S,
    )  # fmt: skip
    webhook.shutdown()
    counts = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("long ")]
    if not counts:
        raise SystemExit(f"stock Locust did not run: {done.stderr[-500:]}")
    return int(counts[-1])


def main() -> int:
    """Measure both and print them; return the exit code."""
    ours, theirs = open_model(), stock()
    sys.stdout.write(
        f"frozen for {FROZEN_S:g} s at {PER_S} posts a second: of {DUE} samples the open model has {ours} of "
        f"{LONG_S:g} s or more, stock constant_throughput {theirs}\n"
    )
    return 0 if ours >= AT_LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main())
