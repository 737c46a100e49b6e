"""A load test as a script has it: stock Locust without its page, in a process of its own, and its report.

`responder load` and the tuning's probes run it.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

import msgspec

from lambda_packages import ROOT
from loadtests.report import LoadReport
from topology.errors import ExplainedError

SHAPES: Final = ("steady", "ramp", "spike", "storm", "soak", "failover")
WORKERS_WITHIN_S: Final = 30
_ENDS_WITHIN_S: Final = 30.0
_TAIL_LINES: Final = 5


class LoadNotRunError(ExplainedError):
    """Locust ended without a report: nothing is known of the stack."""


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """The options of a shape, as `loadtests.options` has them; None: as the shape has it.

    `processes`: so many workers and a master; 0: all in one process. `html`, `csv`: where Locust's own pages
    and tables go.
    """

    per_s: float | None = None
    seconds: float | None = None
    critical_percent: float | None = None
    repeats_percent: float | None = None
    stream: Path | None = None
    speed: float | None = None
    rest_within_s: float | None = None
    slo: Path | None = None
    run_dir: Path | None = None
    outputs: Path | None = None
    stack_name: str | None = None
    host: str | None = None
    processes: int = 0
    html: Path | None = None
    csv: Path | None = None
    tags: tuple[str, ...] = ()
    ends_within_s: float = 3_600.0
    environment: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Locust's command line."""
        words = []
        for name in (each.name for each in fields(self)):
            value = getattr(self, name)
            if name in ("processes", "tags", "ends_within_s", "environment") or value is None:
                continue
            words += [
                f"--{name.replace('_', '-')}",
                str(value.absolute() if isinstance(value, Path) else value),
            ]
        if self.processes:
            words += ["--processes", str(self.processes), "--expect-workers-max-wait", str(WORKERS_WITHIN_S)]
        return [*words, *(["--tags", *self.tags] if self.tags else [])]


def run(shape: str, options: LoadOptions, *, report: Path, receipts: Path) -> LoadReport:
    """Put a load on and return its report, whether it passed or not; Locust's output goes beside the report.

    `receipts`: the folder for the processes' receipts of 202s.

    Raises:
        LoadNotRunError: Locust ended without a report, with its last lines.
    """
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    log = report.with_suffix(".log")
    command = [
        *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name(f"{shape}.py"))),
        *("--headless", "--only-summary", "--report", str(report.absolute())),
        *("--receipts", str(receipts.absolute()), *options.words()),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, **options.environment},
        )  # fmt: skip
        try:
            process.wait(options.ends_within_s)
        except subprocess.TimeoutExpired as error:
            raise LoadNotRunError(f"the load does not end; see {log}") from error
        finally:
            _end(process)
    if not report.exists():
        raise LoadNotRunError(_why(log, process.returncode))
    return read_report(report)


def read_report(path: Path) -> LoadReport:
    """The report in a file.

    Raises:
        LoadNotRunError: it is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=LoadReport)
    except (OSError, msgspec.DecodeError) as error:
        raise LoadNotRunError(f"{path} is no report of a load test: {error}") from error


def receipt_files(folder: Path) -> list[Path]:
    """The receipts of all processes of the loads that had `folder`."""
    return sorted(folder.glob("receipts-*.jsonl"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End Locust, if it has not ended, and give it time for its report."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _why(log: Path, code: int) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    if errors:
        return errors[-1].removeprefix("error: ")
    return f"Locust ended with {code} and no report; {log} ends with: {' | '.join(lines[-_TAIL_LINES:])}"
