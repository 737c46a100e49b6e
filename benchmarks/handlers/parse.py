"""What it costs to read a body, of each format, beside `json.loads` of the same bytes.

The body is the largest of the format among those that the tests have, which is as long as what its sender
writes. Both take turns; the fastest of each counts, since whatever else the machine does only adds.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from handlers.domain.formats import FORMATS, parse
from lambda_packages import ROOT

BODIES: Final = ROOT / "tests" / "unit" / "handlers" / "fixtures"
BLOCKS: Final = 15
_BLOCK: Final = 20


def parse_figures(blocks: int = BLOCKS, *, bodies: Path = BODIES) -> Mapping[str, float]:
    """The microseconds of processor time of each format, and of the worst (`parse, us`); its ratio (`parse`).

    Raises:
        FileNotFoundError: there is no body of a format.
    """
    figures: dict[str, float] = {}
    ratios: list[float] = []
    for spec in FORMATS:
        found = sorted((bodies / spec.name).glob("*.json"), key=lambda path: path.stat().st_size)
        if not found:
            raise FileNotFoundError(f"{bodies / spec.name} holds no body of {spec.name}")
        body = found[-1].read_bytes()
        calls = (lambda body=body: parse(body, {}), lambda body=body: json.loads(body))
        turns = [[_taken(call) for call in calls] for _ in range(blocks)]
        handler, floor = (min(turn[which] for turn in turns) for which in (0, 1))
        figures[f"parse {spec.name}, us"] = 1e6 * handler
        ratios.append(handler / floor)
    return {"parse": max(ratios), "parse, us": max(figures.values())} | figures


def _taken(call: Callable[[], object]) -> float:
    """Seconds of processor time of one call, over a block."""
    begun = time.process_time()
    for _ in range(_BLOCK):
        call()
    return (time.process_time() - begun) / _BLOCK
