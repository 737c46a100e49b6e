"""SQS's work queues of one region, and Lambda's event sources that feed workers from them.

At-least-once, out of order, delayed; a message that nobody deletes comes back when its visibility timeout
ends, and goes to the dead-letter queue after too many receives.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.ports import QueueSendError
from simulator.history import short
from simulator.machine import Machine
from simulator.scenario import Kind
from simulator.world import World
from topology.queues import MAX_RECEIVE_COUNT, Queue, QueueSpec

_LATE_MS: Final = (1_000, 90_000)
_POLL_MS: Final = 40


@dataclass(kw_only=True, eq=False)
class Message:
    """One message. `killed`: how many of its receives ended with a worker that was dead or frozen."""

    message_id: str
    body: str
    visible_ms: int
    is_poison: bool = False
    receives: int = 0
    killed: int = 0


OnEnd = Callable[[frozenset[str] | None, bool], None]
"""Called with the ids of the messages to keep, or None if the worker died; and whether it was disturbed."""

Consume = Callable[[Sequence[Message], OnEnd], None]
"""Starts a worker on a batch."""


@dataclass(kw_only=True, eq=False)
class WorkQueue:
    """One queue with its event source."""

    world: World
    region: str
    spec: QueueSpec
    visibility_ms: int
    concurrency: int
    consume: Consume
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    _running: int = 0
    _sent: int = 0
    _polls: int = 0

    def put(self, body: str, *, delay_ms: int, is_poison: bool = False) -> None:
        """Add a message that is visible after `delay_ms`."""
        self._sent += 1
        message = Message(
            message_id=f"{self.region}/{self.spec.key}/{self._sent}",
            body=body,
            visible_ms=self.world.now_ms + delay_ms,
            is_poison=is_poison,
        )
        self.messages.append(message)
        self._poll_in(delay_ms + _POLL_MS)

    def purge(self) -> None:
        """Lose everything that waits or is being worked on."""
        self.messages.clear()

    def _poll_in(self, delay_ms: int) -> None:
        self.world.scheduler.after(delay_ms, self._poll)

    def _poll(self) -> None:
        """Hand out what is visible, as far as the event source's concurrency goes."""
        if not self.messages:
            return
        if halted_ms := self.world.halted_ms(self.region):
            self._poll_in(halted_ms + _POLL_MS)
            return
        if denied := self.world.active(Kind.QUEUES_DENIED, self.region):
            self._poll_in(self.world.left_ms(denied) + _POLL_MS)
            return
        now_ms = self.world.now_ms
        visible = [message for message in self.messages if message.visible_ms <= now_ms]
        if not visible:
            return
        self._polls += 1
        draw = self.world.random(f"poll {self.region} {self.spec.key} {self._polls}")
        draw.shuffle(visible)
        while visible and self._running < self.concurrency:
            batch = [message for message in visible[: self.spec.batch_size] if self._receive(message)]
            del visible[: self.spec.batch_size]
            if batch:
                self._start(batch)

    def _receive(self, message: Message) -> bool:
        """Count a receive; False if the message was moved to the dead-letter queue instead."""
        if message.receives >= MAX_RECEIVE_COUNT:
            self.messages.remove(message)
            self.dead.append(message)
            self.world.note(self.region, f"to the {self.spec.key} dead-letter queue: {message.body[:40]}")
            return False
        message.receives += 1
        message.visible_ms = self.world.now_ms + self.visibility_ms
        self._poll_in(self.visibility_ms + _POLL_MS)
        return True

    def _start(self, batch: list[Message]) -> None:
        self._running += 1

        def ended(kept: frozenset[str] | None, disturbed: bool) -> None:  # noqa: FBT001 - see `OnEnd`
            self._running -= 1
            for message in batch:
                if disturbed:
                    message.killed += 1
                if kept is not None and message.message_id not in kept and message in self.messages:
                    self.messages.remove(message)
            self._poll_in(_POLL_MS)

        self.consume(batch, ended)


class QueueSenderPort:
    """`QueueSender` for what runs in `machine`: onto the queues of its own region."""

    def __init__(self, machine: Machine, queues: dict[Queue, WorkQueue]) -> None:
        """`queues`: of the machine's region."""
        self._machine = machine
        self._queues = queues

    def send(self, queue: Queue, alerts: Sequence[Alert], *, delay_s: int = 0) -> None:
        """See `QueueSender`; its messages come out of order, so their groups change nothing."""
        bodies = [msgspec.json.encode({"alert_id": alert.alert_id}).decode() for alert in alerts]
        shown = f"{[short(alert.alert_id) for alert in alerts]}" + (f" in {delay_s} s" if delay_s else "")
        self.send_bodies(queue, bodies, delay_s=delay_s, shown=shown)

    def send_bodies(self, queue: Queue, bodies: Sequence[str], *, delay_s: int, shown: str) -> None:
        """Send one message a body. `shown`: what the history shows of them.

        Raises:
            QueueSendError: as `QueueSender.send`.
        """
        invocation, world = self._machine.invocation, self._machine.world
        draw, target = invocation.random, self._queues[queue]
        what = f"queue_sender.send {queue} {shown}"
        error = QueueSendError("simulated: not surely sent")
        denied = world.active(Kind.QUEUES_DENIED, self._machine.region)
        if denied or invocation.fires("send_failed"):
            invocation.call(what, None, out_ms=0, instead=(draw.choice((30, 3_000)), error))
        copies = [(body, extra_ms) for body in bodies for extra_ms in self._delays_ms()]

        def effect() -> None:
            for body, extra_ms in copies:
                if extra_ms is None:
                    target.put(body, delay_ms=target.visibility_ms)
                else:
                    target.put(body, delay_ms=delay_s * 1000 + extra_ms)

        instead = (draw.randint(2_500, 3_500), error) if invocation.fires("send_lost_answer") else None
        invocation.call(what, effect, out_ms=draw.randint(2, 20), back_ms=3, instead=instead)

    def _delays_ms(self) -> list[int | None]:
        """When each copy of one message is visible, besides its delay; None: received by nobody at first."""
        invocation = self._machine.invocation
        draw = invocation.random
        first: int | None = draw.randint(*_LATE_MS) if invocation.fires("message_late") else 0
        if invocation.fires("message_lost_receive"):
            first = None
        copies = [first]
        if invocation.fires("message_twice"):
            copies.append(draw.choice((0, 0, 3_000, 60_000, 200_000)))
        return copies
