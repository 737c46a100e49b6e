"""The one process that owns a running emulator (`python -m emulator.supervisor '<options as JSON>'`).

It holds the run folder, starts everything, reports on stdout how the start went (one JSON line), and takes
all of it down again when it is asked to, when it is signalled, or when the parent that asked for it is gone.
`emulator.client` starts it.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys

import msgspec

from emulator import errors
from emulator.protocol import Options, StartReport
from emulator.supervisor import runfile
from emulator.supervisor.fleet import Fleet

log = logging.getLogger(__name__)


async def run(options: Options) -> StartReport:
    """Start, wait for the end, stop. The report of the start has been printed when this returns."""
    fleet = Fleet(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, fleet.stopping.set)
    if options.with_parent:
        loop.add_reader(0, fleet.stopping.set)
    report = StartReport()
    try:
        await fleet.start()
        _say(report)
        await fleet.stopping.wait()
    except errors.EmulatorError as error:
        report = StartReport(error=type(error).__name__, message=str(error))
    finally:
        await fleet.stop()
    return report


def main() -> int:
    """Run until stopped; 1 if the start failed."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = msgspec.json.decode(sys.argv[1], type=Options)
    try:
        with runfile.hold(options.run_dir):
            for name in runfile.end_leftovers(options.run_dir):
                log.warning("ended %s, left behind by an emulator that died", name)
            shutil.rmtree(options.run_dir / "hosts", ignore_errors=True)
            report = asyncio.run(run(options))
    except errors.AlreadyRunningError as error:
        report = StartReport(error=type(error).__name__, message=str(error))
    if report.error is not None:
        _say(report)
        return 1
    return 0


def _say(report: StartReport) -> None:
    """Write the report to the parent, then close stdout, since the parent reads it to its end."""
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a descriptor to duplicate
        os.dup2(nowhere.fileno(), 1)


if __name__ == "__main__":
    sys.exit(main())
