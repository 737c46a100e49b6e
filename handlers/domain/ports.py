"""What the domain asks of the world, and the errors by which the world says no.

The adapters implement these over AWS, Claude and Slack; `tests/fakes` and a simulator implement them in
memory. One error class per decision that a handler can take.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.messages import Message
from handlers.domain.moves import Actor
from topology.alerts import FaultState, Severity, Status
from topology.queues import Queue

T = TypeVar("T")
R = TypeVar("R")


class LedgerUnavailableError(Exception):
    """The ledger did not answer or would not write; whether the write happened is unknown. Try later."""


class MalformedRowError(LedgerUnavailableError):
    """One row cannot be read, and will not be until somebody corrects it; the others can."""


class QueueSendError(Exception):
    """A wake-up could not be sent, or not surely. Recovery will send another."""


class CacheUnavailableError(Exception):
    """The analysis cache did not answer. Go on without it."""


class CoordinationUnavailableError(Exception):
    """The coordination table did not answer. Each caller says what it does without."""


class AnalystBusyError(Exception):
    """The model cannot answer now: overloaded, unreachable, too slow, or not ours to ask. Try again later."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: what the service asked for, where it did."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AnalystFailedError(Exception):
    """The model will not answer this request, or not usably. Go on without an analysis."""


class AnalystUnconfiguredError(Exception):
    """There is no key for the model. Go on without: the analysis may follow once an operator has put one."""


class NotifierError(Exception):
    """Slack did not take a message; what is below says why."""


class NotifierThrottledError(NotifierError):
    """Slack asked to wait. Nothing was posted; not a failed attempt."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: what Slack asked for, where it did."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotifierUnavailableError(NotifierError):
    """Slack failed. Try later; when `outcome_unknown`, the message may have been posted all the same."""

    def __init__(self, message: str, *, outcome_unknown: bool) -> None:
        """`outcome_unknown`: the request may have reached Slack."""
        super().__init__(message)
        self.outcome_unknown = outcome_unknown


class NotifierMisaddressedError(NotifierError):
    """Slack takes nothing where we post, or nobody says where that is. Nothing was posted.

    It may be in the middle of a change, so try a few times; then park: only an operator can help.
    """


class NotifierRefusedError(NotifierError):
    """Slack will never take this message, wherever it goes. Park."""


class EscalationError(Exception):
    """Nobody was told a second way, or not surely. The next run tries again."""


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An analysis fresh from the model, and what it cost in tokens."""

    analysis: Analysis
    input_tokens: int
    output_tokens: int


class FaultEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What an index shows of an alert: since when its fault is in a state, in epoch milliseconds."""

    alert_id: str
    changed_at_ms: int


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an index shows of an alert of an incident; the attributes are the row's."""

    alert_id: str
    accepted_at_ms: int
    status: Status
    severity: Severity
    state: FaultState | None = None
    fault_key: str | None = None
    changed_at_ms: int | None = None
    host: str | None = None
    lease_token: str | None = None
    alone: bool | None = None
    lead: bool | None = None
    slack_ref: str | None = None


class Ledger(Protocol):
    """The alerts table. Every method raises `LedgerUnavailableError`; `states.check` guards the writes."""

    def probe(self) -> None:
        """Return if a strongly consistent read works, within about two seconds."""

    def get(self, alert_id: str) -> Alert | None:
        """The row, by a strongly consistent read."""

    def get_many(self, alert_ids: Sequence[str]) -> Mapping[str, Alert | MalformedRowError]:
        """Those rows of at most `DYNAMODB_BATCH_GET_MAX` that there are, by strongly consistent reads.

        One that cannot be read is its error, and costs the others nothing.
        """

    def create(self, alert: Alert, *, actor: Actor) -> bool:
        """Write a new row; False if there is one under this id already."""

    def replace(self, before: Alert, after: Alert, *, actor: Actor) -> bool:
        """Write `after` if the stored row still agrees with `before` in `states.VERSION`; else False."""

    def overdue(self, key: str, *, now_s: int, limit: int, since_s: int = 0) -> Sequence[str]:
        """At most `limit` ids under an open key with `due_at` from `since_s` to `now_s`, oldest first.

        It may lag behind the rows.
        """

    def waiting(self, key: str, *, until_s: int, limit: int) -> Sequence[str]:
        """At most `limit` ids of ANALYZED alerts under an open key that may go into a digest, with no lease.

        Those are meant that are due by `until_s` (epoch seconds), the longest due first. It may lag behind
        the rows.
        """

    def count(self, key: str, *, limit: int) -> int:
        """How many alerts lie under an open key, counted to `limit`; may lag behind the rows."""

    def count_children(self, parent_id: str, *, limit: int) -> int:
        """How many children an alert has, counted to `limit`; may lag behind the rows."""

    def suppressed_children(self, parent_id: str, *, limit: int) -> Sequence[str]:
        """At most `limit` ids of the SUPPRESSED repeats of an alert; may lag behind the rows."""

    def history(
        self, fault_key: str, state: FaultState, *, until_ms: int, limit: int
    ) -> Sequence[FaultEvent]:
        """At most `limit` of what was accepted about a fault in this state since before `until_ms`.

        The latest first; it may lag behind the rows.
        """

    def incident(self, incident_id: str, *, limit: int) -> Sequence[IncidentRow]:
        """At most `limit` of the alerts of an incident, those accepted first; it may lag behind the rows."""


class ExpiredRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row as an index shows it; `expires_at`: epoch seconds."""

    alert_id: str
    expires_at: int
    fault_key: str | None = None


class ExpiringLedger(Protocol):
    """What of the ledger expires. Both methods raise `LedgerUnavailableError`."""

    def expired(self, severity: Severity, *, now_s: int, limit: int) -> Sequence[ExpiredRow]:
        """At most `limit` rows whose time is over, those accepted first; it may lag behind the rows."""

    def delete_expired(self, row: ExpiredRow) -> bool:
        """Delete the row if it still expires when it was seen to; False if not, or if it is gone."""


MALFORMED: Final = -1
"""The version of a record that cannot be read."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record of the coordination table: whole numbers by name. `version` is 1 at first, then counts up.

    One that cannot be read has the version `MALFORMED` and no values.
    """

    version: int
    values: Mapping[str, int]


class Coordination(Protocol):
    """Small shared records. Every method raises `CoordinationUnavailableError`.

    Under an eventual ledger a region reads its own replica, and the last writer wins between regions.
    """

    def read(self, name: str) -> Record | None:
        """The record, by a strongly consistent read."""

    def read_many(self, names: Sequence[str]) -> Mapping[str, Record]:
        """Those records of at most `DYNAMODB_BATCH_GET_MAX` that there are, by strongly consistent reads.

        One that cannot be read is among them, and costs the others nothing.
        """

    def write(
        self, name: str, before: Record | None, values: Mapping[str, int], *, expires_at: int | None = None
    ) -> bool:
        """Write `values` if the stored record still has `before`'s version (or is absent); else False.

        What was `MALFORMED` is written over, whatever is there now.

        `expires_at` (epoch seconds): from then on nobody needs it, and it may be deleted.
        """

    def add(self, name: str, number: int, *, window: int, expires_at: int) -> int:
        """Add `number` to what the record counts in `window`, in one step; returns its count with that.

        A later window begins at 0. What comes late is counted in the window that has begun since.
        `expires_at` (epoch seconds): of a record that begins a window.
        """


class ExpiringRecords(Protocol):
    """What of the coordination table expires."""

    def delete_expired(self, name: str, *, now_s: int) -> None:
        """Delete the record if it has expired.

        Raises:
            CoordinationUnavailableError: whether it is deleted is unknown.
        """


class AnalysisCache(Protocol):
    """Analyses by error signature. Both methods raise `CacheUnavailableError`."""

    def get(self, signature: str, *, now_s: int) -> Analysis | None:
        """The analysis, if there is one that has not expired and is well formed."""

    def put(self, signature: str, analysis: Analysis, *, asked_ms: int, expires_at: int) -> None:
        """Keep it until `expires_at` (epoch seconds), unless the entry was evicted, or asked for, later.

        `asked_ms`: when the model was asked (epoch milliseconds).
        """


class QueueSender(Protocol):
    """The queues. A message is a wake-up about an alert, never the alert."""

    def send(self, queue: Queue, alerts: Sequence[Alert], *, delay_s: int = 0) -> None:
        """Send one wake-up an alert, to arrive after `delay_s` (0 to 900), in the group of its source.

        Raises:
            QueueSendError: if any of them was not surely sent.
        """


class RefusalMeter(Protocol):
    """Counts what reception refuses, where an alarm watches it."""

    def count(self, *, body_format: str, reason: str, number: int) -> None:
        """Add `number` refusals of one format for one reason; each is one of a closed set."""

    def count_ignored(self, *, body_format: str, number: int) -> None:
        """Add `number` members of one format that are no alerts; no alarm watches these."""


class Analyst(Protocol):
    """The model that analyses alerts: Claude."""

    def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
        """Analyse once.

        Raises:
            AnalystBusyError: worth another try.
            AnalystFailedError: not worth one.
            AnalystUnconfiguredError: nobody to ask.
        """


class Notifier(Protocol):
    """Where people are told: Slack."""

    def post(self, message: Message, *, timeout_s: float) -> str | None:
        """Post once, or edit what a follow-up refers to where Slack allows it.

        Returns a reference by which the message can be edited later, where there is one.

        Raises:
            NotifierThrottledError: Slack asked to wait.
            NotifierUnavailableError: worth another try.
            NotifierMisaddressedError: worth a few, for any message.
            NotifierRefusedError: not worth one.
        """


class RouteMeter(Protocol):
    """Counts what an alarm watches: routes by which Slack takes nothing."""

    def count_unusable(self, route: str) -> None:
        """The address of `route` could not be used for a message."""


class Meter(Protocol):
    """Keeps figures that the dashboard shows."""

    def add(self, metric: str, value: int) -> None:
        """Add a value of one of the metrics in `topology.metrics`; nothing fails by it."""


class Escalation(Protocol):
    """Where people are told besides Slack: mail, a pager's endpoint."""

    def publish(self, subject: str, text: str) -> None:
        """Tell them once. `subject`: one line of ASCII, of at most `SNS_SUBJECT_MAX_CHARS`.

        Raises:
            EscalationError: it may have been told or not.
        """


class Clock(Protocol):
    """Wall time; clocks of different machines may disagree."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""


class Sleeper(Protocol):
    """Waiting inside an invocation."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Randomness(Protocol):
    """Tokens and jitter."""

    def hex(self, digits: int) -> str:
        """Unguessable hex digits."""

    def fraction(self) -> float:
        """At least 0, below 1."""


class Executor(Protocol):
    """Runs independent calls, side by side where it can."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """The results in order. Every call has ended when this returns or raises."""

    def overlap(self, call: Callable[[], R], *, patience_s: float, meanwhile: Callable[[], None]) -> R:
        """The result of `call`; `meanwhile` runs beside it once `patience_s` have passed without one.

        Both have ended when this returns or raises.
        """
