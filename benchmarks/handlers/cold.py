"""What a cold start costs: the processor time in which an entry point is imported from its unpacked package.

The floor is what the least client of AWS imports: urllib3 with a pool and its TLS settings, and a
request signed by hand. Both are
told without what a bare interpreter takes, user and system time, each in a process of its own; they take
turns, so that what else the machine does falls on both, and medians count.
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from loadtests.isolated.environment import environment
from topology.functions import ANALYSIS, RECEPTION, FunctionSpec

ROUNDS: Final = 15

_FLOOR: Final = """
import datetime, hashlib, hmac, json, os, urllib3
pool = urllib3.PoolManager(ssl_context=urllib3.util.ssl_.create_urllib3_context())
now = datetime.datetime.now(datetime.timezone.utc)
date, region, body = now.strftime('%Y%m%d'), os.environ['AWS_REGION'], json.dumps({'a': 1}).encode()
scope = f'{date}/{region}/sqs/aws4_request'
request = f'POST\\n/\\n\\nhost:sqs\\n\\nhost\\n{hashlib.sha256(body).hexdigest()}'
text = f'AWS4-HMAC-SHA256\\n{now:%Y%m%dT%H%M%SZ}\\n{scope}\\n{hashlib.sha256(request.encode()).hexdigest()}'
key = ('AWS4' + os.environ['AWS_SECRET_ACCESS_KEY']).encode()
for part in (*scope.split('/'), text):
    key = hmac.new(key, part.encode(), hashlib.sha256).digest()
"""
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""

_HIT: Final = """
import types
from handlers.analysis import handler
record = {'messageId': 'm', 'body': '{"alert_id": "known-1"}'}
kept = handler({'Records': [record]}, types.SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000))
assert kept == {'batchItemFailures': []}, kept
"""

Case = tuple[str, Path, Mapping[str, str]]
"""The source to run, the folder of the package, and the environment."""


def cold_starts(
    places: Mapping[FunctionSpec, Path], *, endpoint_url: str, rounds: int = ROUNDS
) -> Mapping[str, float]:
    """The ratio to the floor of each function's import, and of analysis with its first alert.

    `endpoint_url` answers the calls that analysis makes for an alert whose analysis is cached.
    """
    some = next(iter(places.values()))
    bare: Case = ("", some, environment())
    cases: dict[str, Case] = {
        f"cold {spec.key}": (f"import {spec.handler.rpartition('.')[0]}", place, environment())
        for spec, place in places.items()
    }
    if ANALYSIS in places:
        cases["cold analysis on a hit"] = (_HIT, places[ANALYSIS], environment(endpoint_url))
    floor: Case = (_FLOOR, places.get(RECEPTION, some), environment())
    taken = _in_turns([bare, floor, *cases.values()], rounds)
    bare_s, floor_s, *others_s = (statistics.median(seconds) for seconds in taken)
    return {
        name: (seconds - bare_s) / (floor_s - bare_s) for name, seconds in zip(cases, others_s, strict=True)
    }


def _in_turns(cases: Sequence[Case], rounds: int) -> list[list[float]]:
    """The processor seconds of each case, `rounds` times; a first time brings its files into memory."""
    taken: list[list[float]] = [[] for _ in cases]
    for number in range(rounds + 1):
        for seconds, case in zip(taken, cases, strict=True):
            spent = _processor_s(*case)
            if number:
                seconds.append(spent)
    return taken


def _processor_s(source: str, package: Path, env: Mapping[str, str]) -> float:
    """User and system time of an interpreter that runs `source` with nothing but a package.

    Raises:
        RuntimeError: it failed; its error is on standard error.
    """
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n{source}"
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    if source == _HIT:
        quiet.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
    command = [sys.executable, "-I", "-S", "-c", code]
    _, status, usage = os.wait4(os.posix_spawn(sys.executable, command, env, file_actions=quiet), 0)
    if status:
        raise RuntimeError(f"an entry point in {package} failed at its cold start")
    return usage.ru_utime + usage.ru_stime
