"""Measures how a large group is taken in: `make bench-intake`, or `python -m benchmarks.intake --alerts 900`.

The real reception function, with its real clients, over an HTTP server that answers like DynamoDB and SQS,
each ledger call after so many milliseconds, with no more CPU than its memory buys on Lambda: the process is
stopped and continued within each twentieth of a second. It posts the group until it is accepted, and prints
each try, what was written, and how many repeats the tries made. Exit 1 if it took more than four.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Any, Final, cast

from loadtests.isolated.environment import CONFIG, environment
from topology.functions import RECEPTION
from topology.limits import LAMBDA_VCPU_MB

MAX_TRIES: Final = 4
_SLICE_S: Final = 0.05
_READY: Final = b"ready\n"
_LOST: Final = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
_LONGEST_S: Final = 300.0


class _Tables:
    """The items that were put, by table and key, and how many calls there were."""

    def __init__(self, delay_s: float) -> None:
        self.items: dict[tuple[str, str], Any] = {}
        self.calls: Counter[str] = Counter()
        self.delay_s = delay_s
        self._lock = threading.Lock()

    def answer(self, action: str, request: Any) -> tuple[int, Any]:
        """Status and body for a call."""
        with self._lock:
            self.calls[action] += 1
        if action == "SendMessageBatch":
            return 200, {"Successful": [{"Id": e["Id"]} for e in request["Entries"]], "Failed": []}
        time.sleep(self.delay_s)
        with self._lock:
            return self._answer(action, request)

    def _answer(self, action: str, request: Any) -> tuple[int, Any]:
        if action == "BatchGetItem":
            ((table, wanted),) = request["RequestItems"].items()
            keys = [(table, value["S"]) for key in wanted["Keys"] for value in key.values()]
            found = [self.items[key] for key in keys if key in self.items]
            return 200, {"Responses": {table: found}, "UnprocessedKeys": {}}
        if action == "UpdateItem":
            return self._added(request)
        if action != "PutItem":
            raise NotImplementedError(action)
        item = request["Item"]
        key = (request["TableName"], item["alert_id" if "alert_id" in item else "name"]["S"])
        if key in self.items and ":window" not in request.get("ExpressionAttributeValues", {}):
            return 400, _LOST
        self.items[key] = item
        return 200, {}

    def _added(self, request: Any) -> tuple[int, Any]:
        """Answer the one update: a source's count, in its minute."""
        item = self.items.get((request["TableName"], request["Key"]["name"]["S"]))
        given = {name: int(value["N"]) for name, value in request["ExpressionAttributeValues"].items()}
        if item is None or int(item["values"]["M"]["window"]["N"]) < given[":window"]:
            return 400, _LOST
        values = item["values"]["M"]
        values["count"] = {"N": str(int(values["count"]["N"]) + given[":number"])}
        return 200, {"Attributes": {"values": {"M": values}}}


def _server(tables: _Tables) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = tables.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body)
            encoded = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@contextmanager
def _share_of_cpu(pid: int, share: float) -> Iterator[None]:
    """Let a process run for so much of each slice, as Lambda's scheduler does."""
    over = threading.Event()

    def pace() -> None:
        while not over.is_set():
            time.sleep(_SLICE_S * share)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(_SLICE_S * (1 - share))
            os.kill(pid, signal.SIGCONT)

    pacer = threading.Thread(target=pace, daemon=True)
    pacer.start()
    try:
        yield
    finally:
        over.set()
        pacer.join()


def _group(alerts: int, state: str) -> bytes:
    """An Alertmanager group about so many faults."""
    members = [
        {
            "status": state,
            "labels": {"alertname": "NodeDown", "severity": "critical", "instance": f"node-{number:04}"},
            "annotations": {"summary": f"node {number} does not answer", "description": "x" * 300},
            "startsAt": "2026-11-23T08:00:00Z",
            "endsAt": "2026-11-23T08:10:00Z" if state == "resolved" else "0001-01-01T00:00:00Z",
            "fingerprint": f"{number:016x}",
        }
        for number in range(alerts)
    ]
    return json.dumps({"version": "4", "status": state, "alerts": members}).encode()


class _Invocation:
    """The context of one invocation."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + CONFIG.timeout_s[RECEPTION]

    def get_remaining_time_in_millis(self) -> int:
        return round((self._ends - time.monotonic()) * 1000)


def function() -> None:
    """Be the function: load it, say so, then answer the body on standard input until it is accepted."""
    from handlers.reception import handler  # noqa: PLC0415 - it reads its environment when it is loaded

    body = sys.stdin.buffer.readline().decode()
    sys.stdout.buffer.write(_READY)
    sys.stdout.flush()
    headers = {"content-type": "application/json"}
    event = {"httpMethod": "POST", "path": "/alerts", "headers": headers, "body": body}
    for _ in range(10 * MAX_TRIES):
        begun, cpu = time.monotonic(), time.process_time()
        answer = handler(event, _Invocation())
        seconds, cpu_s = time.monotonic() - begun, time.process_time() - cpu
        _say(json.dumps({"status": answer["statusCode"], "seconds": seconds, "cpu_s": cpu_s}))
        if answer["statusCode"] == 202:  # noqa: PLR2004 - accepted
            return


def measure(*, alerts: int, call_ms: float, memory_mb: int, state: str) -> dict[str, Any]:
    """Have one group accepted; the tries, and what they wrote."""
    tables = _Tables(call_ms / 1000)
    server = _server(tables)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.intake", "--function"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment(f"http://127.0.0.1:{server.server_port}")},
    )
    try:
        into, out = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
        into.write(_group(alerts, state) + b"\n")
        into.close()
        while (line := out.readline()) != _READY:
            if not line:
                raise RuntimeError("the function did not start")
        with _share_of_cpu(child.pid, min(memory_mb / LAMBDA_VCPU_MB, 0.99)):
            lines = [line for line in out if line.startswith(b'{"status"')]
        child.wait(_LONGEST_S)
    finally:
        child.kill()
        server.shutdown()
        server.server_close()
    statuses = Counter(item["status"]["S"] for item in tables.items.values() if "alert_id" in item)
    return {
        "tries": [json.loads(line) for line in lines],
        "rows": dict(statuses),
        "calls": dict(tables.calls),
    }


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure a group that fires and one that is resolved; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--alerts", type=int, default=1_000, help="alerts of the group (default 1,000)")
    parser.add_argument("--call-ms", type=float, default=20, help="what a ledger call takes (default 20)")
    parser.add_argument(
        "--memory-mb",
        type=int,
        default=CONFIG.memory_mb[RECEPTION],
        help="of the function (default: as it is deployed)",
    )
    parser.add_argument("--function", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.function:
        function()
        return 0
    good = True
    for state in ("firing", "resolved"):
        report = measure(alerts=given.alerts, call_ms=given.call_ms, memory_mb=given.memory_mb, state=state)
        shown = ", ".join(f"{t['status']} after {t['seconds']:.1f} s" for t in report["tries"])
        _say(f"{given.alerts} alerts, {state}, {given.memory_mb} MB: {shown}; rows {report['rows']}")
        _say(f"  calls {report['calls']}, CPU {sum(t['cpu_s'] for t in report['tries']):.1f} s")
        good &= len(report["tries"]) <= MAX_TRIES and report["tries"][-1]["status"] == 202  # noqa: PLR2004
        good &= report["rows"] == {"RECEIVED": given.alerts}
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
