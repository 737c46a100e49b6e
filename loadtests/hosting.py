"""How Locust hosts a load: a shape's file has a subclass of `AlertShape`, and Locust does the rest.

Locust runs one `AlertSender` in each process, brings it the master's messages, shows every post and every
alert that came to Slack as a request, and exits. What is sent, and when, is the part of `clients.load`: users
of Locust wait for their answers, so they keep no rate (https://github.com/locustio/locust/issues/2359).
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec
import psutil
from locust import LoadTestShape, User, constant, events, tag
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner
from rich.console import Console

from clients.alert_source import FORMATS, new_run
from emulator.errors import EmulatorError
from loadtests.figures import Snapshot
from loadtests.options import POSTS_MAX, REPORTS, add_options, checked, target_of
from loadtests.report import METRICS, LoadReport
from loadtests.run import Conditions, Run, warm_up
from loadtests.sending import ORDER, REPORT, STOP, Sending
from loadtests.shard import Order, plan
from loadtests.slo import read_thresholds
from loadtests.target import LoadRefusedError, Target
from topology.errors import ExplainedError

BEGINS_AFTER_S: Final = 2.0
"""By then each worker has its order and its user; where there is but one process it has them at once."""

ENDS_WITHIN_S: Final = 240.0
_POLL_S: Final = 0.1
_SPAWNED_PER_S: Final = 100.0

_log: Final = logging.getLogger(__name__)


_events: Final[Any] = events
"""Locust ships no types for what listens to it."""


def _task(format_name: str) -> Callable[["AlertSender"], None]:
    @tag(format_name)
    def send(user: "AlertSender") -> None:
        user.environment.shape_class.send()

    send.__name__ = format_name
    return send


class AlertSender(User):
    """Has its process begin the part of the load that it was ordered; `--tags` chooses the formats."""

    wait_time = constant(_POLL_S)
    tasks = [_task(name) for name in FORMATS]  # noqa: RUF012 - Locust's own form


class AlertShape(LoadTestShape):
    """What is due when. A subclass says `name` and `stages`, and what differs from the defaults here."""

    abstract: ClassVar[bool] = True
    name: ClassVar[str]
    per_s: ClassVar[float] = 10.0
    seconds: ClassVar[float] = 60.0
    critical_percent: ClassVar[float] = 10.0
    rest_within_s: ClassVar[float] = 120.0
    causes: ClassVar[int] = 8
    both_regions: ClassVar[bool] = True
    """Each region is tried first as often; else the primary always is."""

    def __init__(self) -> None:
        """Listen to Locust's events."""
        super().__init__()  # type: ignore[no-untyped-call] # Locust's
        self._environment: Any = None
        self._sending: Sending
        self._run: Run | None = None
        self._over = self._started = False
        self._report: LoadReport | None = None
        self._refused = ""
        _events.init_command_line_parser.add_listener(self._add_options)
        _events.init.add_listener(self._listen)

    def stages(self, per_s: float, seconds: float) -> Sequence[tuple[float, float, float]]:
        """Seconds, and the rate at their start and end, one after another; `per_s` is the highest rate."""
        return ((seconds, per_s, per_s),)

    def during(self, target: Target, order: Order) -> None:
        """Do to the stack what belongs to the shape, beside the load; nothing by default."""

    def tick(self) -> tuple[int, float] | None:
        """Keep a user in each process until the run is over."""
        if self._over:
            self._over = self._started = False
            return None
        if not self._started:
            self._users = max(1, self._workers())
        return self._users, _SPAWNED_PER_S

    @property
    def over(self) -> bool:
        """Whether the run that was begun last is over."""
        return self._over or not self._started

    def send(self) -> None:
        """Begin what this process was ordered, if it has not begun."""
        self._sending.start()

    def _workers(self) -> int:
        runner = self._environment.runner
        return runner.worker_count if isinstance(runner, MasterRunner) else 1

    def _add_options(self, parser: Any, **_: object) -> None:
        defaults = {n: getattr(self, n) for n in ("per_s", "seconds", "critical_percent", "rest_within_s")}
        add_options(parser, self.name, defaults)

    def _listen(self, environment: Any, **_: object) -> None:
        self._environment = environment
        self._sending = Sending(environment)
        if isinstance(environment.runner, WorkerRunner):
            return
        environment.events.test_stopping.add_listener(self._stopping)
        environment.events.test_start.add_listener(self._start)
        environment.events.worker_report.add_listener(self._worker_report)
        environment.events.quitting.add_listener(self._quitting)
        environment.events.quit.add_listener(self._print)
        try:
            self._thresholds(environment)
            target_of(checked(environment.parsed_options))
        except ExplainedError as error:
            if environment.web_ui is not None:
                _log.error("%s", error)
                return  # a person may put it right and start
            for worker in psutil.Process().children():
                worker.terminate()  # of --processes: Locust leaves them behind when it ends before it began
            sys.exit(f"error: {error}")

    def _thresholds(self, environment: Any) -> Any:
        return read_thresholds(Path(environment.parsed_options.slo), self.name, METRICS)

    def _start(self, environment: Any, **_: object) -> None:
        self._started, self._report, self._refused = True, None, ""
        try:
            self._order_all(environment)
        except ExplainedError as error:
            self._refused, self._over = str(error), True
            _log.error("%s", error)

    def _order_all(self, environment: Any) -> None:
        options, runner = checked(environment.parsed_options), environment.runner
        target = target_of(options)
        workers = [node.id for node in runner.clients.ready] if isinstance(runner, MasterRunner) else [""]
        run = new_run()
        order = Order(
            shape=self.name,
            run=run,
            begin_at=0,
            webhooks=tuple((w.region, w.url, w.api_key) for w in target.webhooks),
            stages=tuple(self.stages(options.per_s, options.seconds)),
            receipts=options.receipts or str(REPORTS / "receipts" / run),
            of=len(workers),
            both_regions=self.both_regions,
            critical_percent=options.critical_percent,
            causes=self.causes,
            repeats_percent=options.repeats_percent,
            formats=tuple(sorted(getattr(task, "__name__", "") for task in AlertSender.tasks)),
            stream=options.stream,
            speed=options.speed,
        )
        if not order.formats:
            raise LoadRefusedError("--tags and --exclude-tags leave no format of alerts to send")
        if (count := plan(order).count) > POSTS_MAX:
            raise LoadRefusedError(f"{count} posts are more than {POSTS_MAX}; run shorter or slower")
        thresholds = self._thresholds(environment)
        conditions = Conditions(target)
        try:
            warm_up(target, order)
        except ExplainedError:
            conditions.end()
            raise
        conditions.count_from_now()
        begins_after_s = BEGINS_AFTER_S if isinstance(runner, MasterRunner) else 2 * _POLL_S
        order = msgspec.structs.replace(order, begin_at=time.time() + begins_after_s)
        self._indexes = {worker: index for index, worker in enumerate(workers)}
        self._run = Run(
            target,
            order,
            thresholds=thresholds,
            rest_within_s=options.rest_within_s,
            told=self._told,
            lost=self._lost,
            conditions=conditions,
        )
        for worker, index in self._indexes.items():
            part = msgspec.to_builtins(msgspec.structs.replace(order, index=index))
            runner.send_message(ORDER, part, worker or None)
        _spawn(self._lead, self._run, conditions, Path(options.report))
        _spawn(self.during, target, order)

    def _lead(self, run: Run, conditions: Conditions, path: Path) -> None:
        try:
            self._report = run.watch(self._poll, self._stop_all)
            self._report.write(path)
        except Exception as error:  # noqa: BLE001 - the edge of a thread: `_print` says it, and Locust ends
            self._refused = str(error) if isinstance(error, ExplainedError) else repr(error)
        finally:
            with contextlib.suppress(EmulatorError):
                conditions.end()
            self._over = True

    def _poll(self) -> None:
        """Take the figures of a load that runs in this very process."""
        if self._run is not None and (snapshot := self._sending.snapshot()) is not None:
            self._run.merge(snapshot)

    def _stop_all(self) -> None:
        runner = self._environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message(STOP)
        else:
            self._sending.halt()

    def _lost(self) -> list[int]:
        runner = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return []
        there = {node.id for node in runner.clients.values() if node.state != STATE_MISSING}
        return [index for worker, index in self._indexes.items() if worker not in there]

    def _worker_report(self, data: dict[str, Any], **_: object) -> None:
        if self._run is not None and REPORT in data:
            self._run.merge(msgspec.convert(data[REPORT], Snapshot))

    def _told(self, kind: str, latency_ms: float, wrong: str | None) -> None:
        self._sending.fire("SLACK", kind, latency_ms, wrong)

    def _stopping(self, **_: object) -> None:
        """Have a run that somebody stops end with a report of what was sent until then."""
        if self._run is None or self._over or not self._started:
            return
        self._run.end_early("it was stopped before its end")
        deadline = time.monotonic() + ENDS_WITHIN_S
        while not self._over and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _quitting(self, environment: Any, **_: object) -> None:
        if self._report is None or not self._report.passed:
            environment.process_exit_code = 1

    def _print(self, **_: object) -> None:
        console = Console()
        if self._report is None:
            console.print(f"error: {self._refused or 'no load was run'}", soft_wrap=True, highlight=False)
            return
        console.print(self._report.table())
        console.print(self._report.summary(), soft_wrap=True, highlight=False)


def _spawn(do: Callable[..., None], *arguments: object) -> None:
    """Have it done meanwhile: Locust makes greenlets of threads."""
    threading.Thread(target=do, args=arguments, daemon=True).start()
