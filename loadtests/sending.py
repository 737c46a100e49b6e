"""The side of a Locust process that sends: takes the master's order, runs its shard, and tells of it."""

from typing import Any, Final

import msgspec
from locust.runners import WorkerRunner

from clients.load import Arrival
from loadtests.figures import Snapshot
from loadtests.shard import Order, Shard
from topology.errors import ExplainedError

ORDER: Final = "alerts_order"
STOP: Final = "alerts_stop"
REPORT: Final = "alerts"
_ACCEPTED: Final = 202


class NotAcceptedError(Exception):
    """A post that was not answered 202, or an alert that Slack has not, as Locust's failures show it."""


class Sending:
    """What this process sends, from the order that comes next; there may be several, one after another."""

    def __init__(self, environment: Any) -> None:
        """Listen to the master, and tell it of the shard in each of the worker's reports."""
        self._environment = environment
        self._shard: Shard | None = None
        self._broken: Snapshot | None = None
        environment.runner.register_message(ORDER, self._take)
        environment.runner.register_message(STOP, self.halt)
        if isinstance(environment.runner, WorkerRunner):
            environment.events.report_to_master.add_listener(self._report)
            environment.events.test_stopping.add_listener(self.halt)

    def start(self) -> None:
        """Begin what was ordered, if it has not begun."""
        if self._shard is not None:
            self._shard.start()

    def halt(self, **_: object) -> None:
        """Post nothing new."""
        if self._shard is not None:
            self._shard.halt()

    def snapshot(self) -> Snapshot | None:
        """What was counted until now; None before the first order."""
        return self._shard.snapshot() if self._shard is not None else self._broken

    def fire(self, kind: str, name: str, latency_ms: float, wrong: str | None = None) -> None:
        """Show something as a request in Locust's figures."""
        self._environment.events.request.fire(
            request_type=kind,
            name=name,
            response_time=latency_ms,
            response_length=0,
            exception=NotAcceptedError(wrong) if wrong else None,
            context={},
        )

    def _take(self, msg: Any, **_: object) -> None:
        order = msgspec.convert(msg.data, Order)
        try:
            self._shard, self._broken = Shard(order, self._ended), None
        except ExplainedError as error:
            self._shard = None
            self._broken = Snapshot(run=order.run, index=order.index, due=0, over=True, error=str(error))

    def _report(self, data: dict[str, Any], **_: object) -> None:
        if (snapshot := self.snapshot()) is not None:
            data[REPORT] = msgspec.to_builtins(snapshot, builtin_types=(bytes,))

    def _ended(self, arrival: Arrival) -> None:
        alerts, status = arrival.outcome.alerts, arrival.outcome.status
        wrong = None if status == _ACCEPTED else f"HTTP {status}" if status else "no answer"
        region = alerts[0].region if alerts else arrival.post.webhooks[0].region
        self.fire("POST", region, arrival.latency_s * 1000, wrong)
