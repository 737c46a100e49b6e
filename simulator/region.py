"""One region: its functions' execution environments, its queues and its schedule."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from simulator.history import short
from simulator.machine import Invocation, Machine
from simulator.ports import Backends, ports_of
from simulator.queues import Consume, Message, OnEnd, WorkQueue
from simulator.scenario import MACHINE_SKEW_MS, REGIONS
from simulator.world import World
from topology.functions import FUNCTIONS
from topology.limits import SQS_VISIBILITY_FACTOR
from topology.queues import WORK_QUEUES, Queue

POISON_IDS: Final = ("a0000000000000000000000000000000",)
"""Of alerts that there never were: what a poison message may name."""

_RECOVERY_EVERY_MS: Final = 60_000


class Request(NamedTuple):
    """A POST to the webhook; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


class Response(NamedTuple):
    """The webhook's answer; `body` is what becomes JSON."""

    status: int
    body: Mapping[str, Any]


class Region:
    """Runs what is asked of it, unless it is down."""

    def __init__(self, world: World, name: str, backends: Backends) -> None:
        """Its queues are put among the backends; its schedule begins."""
        self.world = world
        self.name = name
        self._backends = backends
        self._skew_ms = world.scenario.skew_ms[REGIONS.index(name)]
        self._wiring = {spec.key: backends.fleet.release(name, spec.key).wiring for spec in FUNCTIONS}
        self._idle: dict[str, list[tuple[Machine, Any]]] = {function: [] for function in self._wiring}
        self._living: dict[str, Invocation] = {}
        self._names: Counter[str] = Counter()
        self._random = world.random(f"region {name}")
        self.queues = {
            Queue(spec.key): WorkQueue(
                world=world,
                region=name,
                spec=spec,
                visibility_ms=self._timeout_ms(spec.consumer.key) * SQS_VISIBILITY_FACTOR,
                concurrency=world.scenario.concurrency,
                consume=self._consumer(spec.consumer.key),
            )
            for spec in WORK_QUEUES
            if spec.consumer is not None
        }
        backends.queues[name] = self.queues
        world.scheduler.after(self._random.randint(0, _RECOVERY_EVERY_MS), self._tick)

    def go_down(self, *, lose_queues: bool) -> None:
        """Everything that runs dies; it stays down as long as the incident says."""
        self.world.note(self.name, "goes down")
        for invocation in list(self._living.values()):
            invocation.kill("the region went down")
        for idle in self._idle.values():
            idle.clear()
        if lose_queues:
            self.purge()

    def purge(self) -> None:
        """Empty the work queues."""
        self.world.note(self.name, "its queues are purged")
        for queue in self.queues.values():
            queue.purge()

    def end(self) -> None:
        """Let go of everything that still runs: the run is over."""
        for invocation in list(self._living.values()):
            invocation.kill("the run is over")

    def answer(self, label: str, request: Request, *, answered: Callable[[Response | None], None]) -> None:
        """Have reception answer a request; None if it died over it, or after the gateway's timeout."""
        answers: list[Response | None] = []

        def deliver(response: Response | None) -> None:
            if not answers:
                answers.append(response)
                answered(response)

        def main(webhook: Any, machine: Machine) -> None:
            status, body = self._wiring["reception"].answer(
                webhook,
                machine,
                method="POST",
                path="/alerts",
                headers=request.headers,
                body=request.body,
            )
            deliver(Response(status, body))

        self._invoke("reception", label, main, on_end=lambda _invocation: deliver(None))

    def _invoke(
        self,
        function: str,
        label: str,
        main: Callable[[Any, Machine], None],
        *,
        on_end: Callable[[Invocation], None],
    ) -> None:
        """Run `main` with a function's handler object in an idle execution environment, or a new one."""
        scope = f"{self.name}/{function}/{label}"
        self._names[scope] += 1
        idle = self._idle[function]
        machine, handler = idle.pop() if idle else self._new(function)
        invocation = Invocation(
            self.world,
            name=f"{scope}#{self._names[scope]}",
            region=self.name,
            function=function,
            timeout_ms=self._timeout_ms(function),
        )
        machine.enter(invocation)
        self._living[invocation.name] = invocation

        def whole() -> None:
            try:
                main(handler, machine)
            except Exception as error:  # noqa: BLE001 - whatever a handler lets out is what we look for
                self._raised(invocation.name, error)

        def ended() -> None:
            del self._living[invocation.name]
            self.world.checker.posts.ended(invocation)
            if not invocation.killed:
                idle.append((machine, handler))
            on_end(invocation)

        invocation.begin(whole, on_end=ended)

    def _new(self, function: str) -> tuple[Machine, object]:
        skew_ms = self._skew_ms + self._random.randint(-MACHINE_SKEW_MS, MACHINE_SKEW_MS)
        machine = Machine(self.world, region=self.name, function=function, skew_ms=skew_ms)
        release = self._backends.fleet.release(self.name, function)
        ports = ports_of(machine, self._backends, release)
        return machine, self._wiring[function].BUILDERS[function](ports)

    def _timeout_ms(self, function: str) -> int:
        timeout_s: int = self._wiring[function].TIMEOUTS_S[function]
        return timeout_s * 1000

    def _consumer(self, function: str) -> Consume:
        def consume(batch: Sequence[Message], on_end: OnEnd) -> None:
            messages = [(message.message_id, message.body) for message in batch]
            kept: list[frozenset[str]] = []

            def main(handler: Any, machine: Machine) -> None:
                name = machine.invocation.name

                def failed(alert_id: str, error: Exception, is_poison: bool) -> None:  # noqa: FBT001 - see `work`
                    if not is_poison:
                        self._raised(name, error)
                    elif alert_id not in POISON_IDS:
                        self.world.checker.broken("wake_up_is_poison", f"{name}: {error}")

                kept.append(self._wiring[function].work(handler, machine, messages=messages, failed=failed))

            self._invoke(
                function,
                _label_of(batch[0]),
                main,
                on_end=lambda invocation: on_end(
                    kept[0] if kept else None, invocation.killed or invocation.was_frozen
                ),
            )

        return consume

    def _raised(self, name: str, error: Exception) -> None:
        """A handler has let out an error that is none of its ways to say no."""
        self.world.checker.broken("handler_raised", f"{name}: {type(error).__name__}: {error}")

    def _tick(self) -> None:
        """The schedule: Recovery once a minute, or not at all, or twice."""
        self.world.scheduler.after(_RECOVERY_EVERY_MS, self._tick)
        if self.world.halted_ms(self.name):
            return
        odds = self.world.odds
        minute = f"{self.name}:{self.world.now_ms // _RECOVERY_EVERY_MS}"
        if self._random.random() < odds.get("recovery_skipped", 0) and self.world.fires(
            "recovery_skipped", f"{minute}:recovery_skipped"
        ):
            return
        self._recover()
        if self._random.random() < odds.get("recovery_twice", 0) and self.world.fires(
            "recovery_twice", f"{minute}:recovery_twice"
        ):
            self._recover()

    def _recover(self) -> None:
        def main(handler: Any, machine: Machine) -> None:
            if not self._wiring["recovery"].recover(handler, machine):
                self.world.note(machine.invocation.name, "ended early: the ledger is unavailable")

        minute = self.world.now_ms // _RECOVERY_EVERY_MS
        self._invoke("recovery", str(minute), main, on_end=lambda _invocation: None)


def _label_of(message: Message) -> str:
    """What an invocation is named after: the alert of its first message."""
    try:
        wake_up = msgspec.json.decode(message.body)
        return short(str(wake_up["alert_id"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        return "poison"
