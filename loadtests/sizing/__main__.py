"""A sweep on the local host in a process of its own, for `loadtests.memory`: JSON lines on standard output.

Locust makes greenlets of threads and sockets, among which nothing could be timed. The argument is the
`SweepOptions` as JSON; a line is a `Line`. Exits 1 with a line that says why there is no report.
"""

import sys
from typing import Final

import msgspec

from clients.interrupts import interrupt_on_ending
from costs.usage import read_measurement
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from loadtests.isolated.events import WEIGHTS
from loadtests.sizing.local_site import open_local_site
from loadtests.sizing.run import Line, SweepOptions, sweep
from loadtests.sizing.samples import Sample
from topology.errors import ExplainedError
from topology.names import PRODUCTION_STACK


def main() -> int:
    """Sweep; returns the exit code."""
    interrupt_on_ending()
    try:
        options = msgspec.json.decode(sys.argv[1], type=SweepOptions)
        config, usage = stack_config(ROOT, PRODUCTION_STACK), read_measurement().usage
        plans = options.plans(WEIGHTS, config)
        with open_local_site() as site:
            report = sweep(
                site, plans, name=site.name, config=config, usage=usage, seed=options.seed, told=_tell
            )
    except ExplainedError as error:
        _write(Line(error=str(error)))
        return 1
    _write(Line(report=report))
    return 0


def _tell(sample: Sample) -> None:
    _write(Line(sample=sample))


_ENCODER: Final = msgspec.json.Encoder()


def _write(line: Line) -> None:
    sys.stdout.buffer.write(_ENCODER.encode(line) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
