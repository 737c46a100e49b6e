"""The queues, Claude and Slack in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.messages import Digest, Message, Notification
from handlers.domain.ports import CoordinationUnavailableError, ModelAnswer, QueueSendError
from topology.queues import Queue

ANALYSIS = Analysis(
    summary="The disk is full.",
    probable_cause="Logs are not rotated.",
    actions=("Delete old logs.", "Turn rotation on."),
    confidence="high",
    model="claude-test",
)


@dataclass
class FakeQueueSender:
    """`QueueSender` that keeps what was sent as (queue, alert id, delay)."""

    sent: list[tuple[Queue, str, int]] = field(default_factory=list)
    down: bool = False

    def send(self, queue: Queue, alerts: Sequence[Alert], *, delay_s: int = 0) -> None:
        """See `QueueSender`."""
        if self.down:
            raise QueueSendError("the queue_sender is down on purpose")
        assert 0 <= delay_s <= 900
        self.sent += [(queue, alert.alert_id, delay_s) for alert in alerts]


@dataclass
class FakeRefusalMeter:
    """`RefusalMeter` that keeps the counts by (format, reason), and of what was ignored by format."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def count(self, *, body_format: str, reason: str, number: int) -> None:
        """See `RefusalMeter`."""
        self.counts[body_format, reason] += number

    def count_ignored(self, *, body_format: str, number: int) -> None:
        """See `RefusalMeter`."""
        self.ignored[body_format] += number


@dataclass
class FakeAnalyst:
    """`Analyst` that answers from a script: errors are raised, the last entry repeats."""

    script: list[Analysis | Exception] = field(default_factory=lambda: [ANALYSIS])
    asked: list[tuple[str, float]] = field(default_factory=list)

    def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
        """See `Analyst`."""
        self.asked.append((alert.alert_id, timeout_s))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return ModelAnswer(analysis=answer, input_tokens=100, output_tokens=50)


@dataclass
class FakeNotifier:
    """`Notifier` that keeps what was posted; `script` holds an error or a reference for each call."""

    script: list[Exception | str | None] = field(default_factory=lambda: [None])
    posted: list[Message] = field(default_factory=list)
    timeouts_s: list[float] = field(default_factory=list)

    def post(self, message: Message, *, timeout_s: float) -> str | None:
        """See `Notifier`."""
        self.timeouts_s.append(timeout_s)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        self.posted.append(message)
        return answer

    @property
    def alert_ids(self) -> list[str]:
        """Of the single alerts that were posted."""
        return [one.alert_id for one in self.posted if isinstance(one, Notification)]

    @property
    def digests(self) -> list[Digest]:
        """The digests that were posted."""
        return [one for one in self.posted if isinstance(one, Digest)]


@dataclass
class FakeStoredSilences:
    """`StoredSilences` in memory; counts its reads."""

    text: str = ""
    down: bool = False
    reads: int = field(default=0, init=False)

    def read(self) -> str:
        """See `StoredSilences`."""
        self.reads += 1
        if self.down:
            raise CoordinationUnavailableError("down on purpose")
        return self.text
