"""What a warm invocation with one alert costs beside the bare boto3 calls that it must make.

Handler and floor take turns in one process for each function, against an AWS that answers at little cost from
another process. Processor time is told as the median of the turns' ratios. A sleep takes none, so the fastest
turns by the clock are compared too.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.handlers import warm_child
from loadtests.isolated.environment import environment
from topology.functions import FunctionSpec

BLOCKS: Final = 15
_WITHIN_S: Final = 120.0


def warm_invocations(
    places: Mapping[FunctionSpec, Path], *, endpoint_url: str, blocks: int = BLOCKS
) -> Mapping[str, float]:
    """The ratios of each function to its floor, by the processor (`warm`) and by the clock (`waits`).

    Raises:
        RuntimeError: a handler did not do its work; its error is on standard error.
    """
    figures: dict[str, float] = {}
    for spec, place in places.items():
        done = subprocess.run(
            [sys.executable, str(warm_child.__file__), spec.key, str(blocks)],
            env={**environment(endpoint_url), "SLACK_INTERVAL_MS": "1", "PYTHONPATH": str(place)},
            capture_output=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(done.stderr.decode(errors="replace")[-2_000:])
            raise RuntimeError(f"{spec.key} did not do its work")
        taken = json.loads(done.stdout.splitlines()[-1])  # recovery's metrics are before it
        pairs = list(zip(taken["handler"], taken["floor"], strict=True))
        figures[f"warm {spec.key}"] = statistics.median(handler[0] / floor[0] for handler, floor in pairs)
        figures[f"waits {spec.key}"] = min(turn[1] for turn in taken["handler"]) / min(
            turn[1] for turn in taken["floor"]
        )
        figures[f"warm {spec.key}, ms"] = 1_000 * statistics.median(turn[0] for turn in taken["handler"])
    return figures
