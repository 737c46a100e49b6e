"""The sweep of memory under Locust: `locust -f loadtests/memory.py --headless`.

Each sample is a request in Locust's figures, by function, size and kind, with its page, CSV and HTML. The
samples are made by `loadtests.sizing` in a process of its own; its report is the one of `responder tune
memory`. Exits 1 where nothing can be recommended for a function.
"""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec
from locust import LoadTestShape, User, constant, events, task
from locust.runners import LocalRunner
from rich.console import Console

from clients.output_files import check_file
from clients.receipts import write_report
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from loadtests.isolated.events import WEIGHTS
from loadtests.options import REPORTS
from loadtests.sizing.page import write_page
from loadtests.sizing.plan import DEFAULT_SIZES, INVOCATIONS_MAX
from loadtests.sizing.report import SizingReport
from loadtests.sizing.run import STRATEGIES, Line, SweepOptions
from loadtests.sizing.samples import OK, Sample
from topology.errors import ExplainedError
from topology.names import PRODUCTION_STACK

_ENDS_WITHIN_S: Final = 30.0
_events: Final[Any] = events
"""Locust ships no types for what listens to it."""


class FailedSampleError(Exception):
    """A sample that is no answer, as Locust's failures show it."""


class Tuner(User):
    """Keeps Locust's run going; the sweep is one process, however many users there are."""

    wait_time = constant(1)

    @task
    def wait(self) -> None:
        """Do nothing: the sweep's own invocations are the load."""


class MemorySweep(LoadTestShape):
    """A run that lasts as long as the sweep."""

    def __init__(self) -> None:
        """Listen to Locust's events."""
        super().__init__()  # type: ignore[no-untyped-call] # Locust's
        self._environment: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False
        self._report: SizingReport | None = None
        self._why = "the sweep was not run"
        _events.init_command_line_parser.add_listener(self._add_options)
        _events.init.add_listener(self._listen)

    def tick(self) -> tuple[int, float] | None:
        """Keep one user until the sweep is over."""
        return None if self._over else (1, 1.0)

    def _add_options(self, parser: Any, **_: object) -> None:
        def add(name: str, default: object, about: str) -> None:
            parser.add_argument(f"--{name}", type=type(default), default=default, help=about)

        add("functions", ",".join(WEIGHTS), "Functions to sweep, by commas.")
        add("sizes", ",".join(map(str, DEFAULT_SIZES)), "Sizes in MB, by commas, from 128 to 10240.")
        add("strategy", STRATEGIES[0], f"What is best: {', '.join(STRATEGIES)}.")
        add("p95-max-ms", 0.0, "The cheapest size whose warm p95 is at most this; 0: any.")
        add("invocations", INVOCATIONS_MAX, "The most invocations that a function gets.")
        add("report", str(REPORTS / "memory.html"), "Where the page goes; its JSON beside it.")

    def _listen(self, environment: Any, **_: object) -> None:
        self._environment = environment
        environment.events.test_start.add_listener(self._start)
        environment.events.test_stop.add_listener(self._stop)
        environment.events.quitting.add_listener(self._quitting)
        environment.events.quit.add_listener(self._print)
        try:
            if not isinstance(environment.runner, LocalRunner):
                raise _OptionError("a sweep is one process; leave --processes, --master and --worker out")
            self._options()
            check_file(Path(environment.parsed_options.report))
        except ExplainedError as error:
            if environment.web_ui is None:
                sys.exit(f"error: {error}")

    def _options(self) -> SweepOptions:
        """The options, checked.

        Raises:
            ExplainedError: naming the first that cannot be.
        """
        given = self._environment.parsed_options
        try:
            sizes = tuple(int(part) for part in given.sizes.split(","))
        except ValueError as error:
            raise _OptionError(f"--sizes: {given.sizes!r} are no sizes; name them as 512,1024") from error
        options = SweepOptions(
            functions=tuple(given.functions.split(",")),
            sizes=sizes,
            strategy=given.strategy,
            p95_max_ms=given.p95_max_ms or None,
            invocations=given.invocations,
        )
        options.plans(WEIGHTS, stack_config(ROOT, PRODUCTION_STACK))
        return options

    def _start(self, **_: object) -> None:
        self._over, self._report = False, None
        try:
            options = msgspec.json.encode(self._options()).decode()
        except ExplainedError as error:
            self._why, self._over = str(error), True
            return
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtests.sizing", options], cwd=ROOT, stdout=subprocess.PIPE
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        """Take in what the sweep says, until it ends."""
        self._why = "the sweep ended without a report; its error is above"
        try:
            for text in process.stdout or ():
                line = msgspec.json.decode(text, type=Line)
                if line.sample is not None:
                    self._fire(line.sample)
                self._report = line.report or self._report
                self._why = line.error or self._why
            process.wait()
        except msgspec.DecodeError as error:
            self._why = f"the sweep said what is none of its lines: {error}"
            process.kill()
        finally:
            self._over = True

    def _fire(self, sample: Sample) -> None:
        kind = "cold" if sample.cold else "warm"
        self._environment.events.request.fire(
            request_type=kind.upper(),
            name=f"{sample.function} {sample.memory_mb} MB, {sample.payload}",
            response_time=sample.latency_ms,
            response_length=0,
            exception=None if sample.outcome == OK else FailedSampleError(sample.outcome),
            context={},
        )

    def _stop(self, **_: object) -> None:
        """End the sweep, if somebody stops the run before it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _quitting(self, environment: Any, **_: object) -> None:
        # A size that fails is a result, so Locust's own count of failures says nothing.
        report = self._report
        decided = report is not None and len(report.chosen) == len(report.functions)
        environment.process_exit_code = 0 if decided else 1

    def _print(self, **_: object) -> None:
        console = Console()
        if self._report is None:
            console.print(f"error: {self._why}", soft_wrap=True, highlight=False)
            return
        page = Path(self._environment.parsed_options.report)
        write_page(self._report, page)
        write_report(page.with_suffix(".json"), msgspec.to_builtins(self._report))
        console.print(f"{self._report.verdict}   report: {page}", soft_wrap=True, highlight=False)


class _OptionError(ExplainedError):
    """An option that is none."""
