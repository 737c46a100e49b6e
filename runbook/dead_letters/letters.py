"""Why a message lies in a dead-letter queue, by its body and by what the ledger has of its alert.

The ledger holds every accepted alert, so a wake-up in a dead-letter queue loses nothing. One kind of message
is more than a wake-up: the record of an alarm that reception could not take, which may be in no ledger.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from clients.ledger import ALERT_ID
from handlers.adapters.lambda_events.sqs_batch import alert_id_of
from handlers.domain.alert import Alert
from handlers.domain.delivery.leases import PoisonMessageError
from handlers.domain.ports import MalformedRowError
from runbook.dead_letters.queue import Message


class Reason(StrEnum):
    """Why a message lies there, as people name it by `--reason`."""

    UNREADABLE_BODY = "unreadable-body"
    UNKNOWN_ALERT = "unknown-alert"
    UNREADABLE_ROW = "unreadable-row"
    AT_REST = "at-rest"
    NOT_AT_REST = "not-at-rest"
    FAILED_ALARM = "failed-alarm"


ADVICE: Final[Mapping[Reason, str]] = {
    Reason.UNREADABLE_BODY: "no wake-up of this stack; `responder dlq show` has it whole, then drop it",
    Reason.UNKNOWN_ALERT: "the ledger has no such alert; see where it comes from, then drop it",
    Reason.UNREADABLE_ROW: "no handler can read its row; correct the row, then redrive it by its id",
    Reason.AT_REST: "its alert has been seen to; `responder dlq drop --reason at-rest` clears it away",
    Reason.NOT_AT_REST: "its workers failed each time; mend that, then `responder dlq redrive`",
    Reason.FAILED_ALARM: "reception could not take this alarm, and no ledger may have it; "
    "`responder dlq redrive`",
}
"""What to do about a message, by its reason."""

REDRIVEN: Final = frozenset({Reason.NOT_AT_REST, Reason.FAILED_ALARM})
"""What is sent again unless other reasons are named: the rest would come straight back, or is done."""

REDRIVABLE: Final = frozenset(Reason) - {Reason.AT_REST}

Rows = Mapping[str, Alert | MalformedRowError]


class _RequestContext(msgspec.Struct, rename="camel"):
    function_arn: str


class FailedInvocation(msgspec.Struct, rename="camel"):
    """What Lambda keeps of an asynchronous invocation that failed each time.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    """

    request_context: _RequestContext
    request_payload: msgspec.Raw
    response_payload: Any = None

    def is_of(self, function: str) -> bool:
        """Whether it was an invocation of the function of that name."""
        return f"{self.request_context.function_arn}:".partition(":function:")[2].startswith(f"{function}:")

    @property
    def error(self) -> str:
        """Why it failed, as the function said; empty where it said nothing."""
        said = self.response_payload if isinstance(self.response_payload, dict) else {}
        return ": ".join(str(said[name]) for name in ("errorType", "errorMessage") if said.get(name))


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message with its reason. `alert`: the row of a wake-up, where there is one that can be read.

    `detail`: the alert's status, or why its body or its row cannot be read.
    """

    message: Message
    reason: Reason
    alert_id: str = ""
    alert: Alert | None = None
    invocation: FailedInvocation | None = None
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which messages something is done to. `ids`: of messages or of alerts; none means all."""

    reasons: frozenset[Reason]
    ids: frozenset[str] = frozenset()

    def takes(self, letter: DeadLetter) -> bool:
        """Whether the message is one of them."""
        return letter.reason in self.reasons and (
            not self.ids or not self.ids.isdisjoint({letter.message.message_id, letter.alert_id} - {""})
        )

    def named(self, letters: Iterable[DeadLetter]) -> set[str]:
        """Those of `ids` that the messages have, whatever their reason."""
        return {
            name for one in letters for name in (one.message.message_id, one.alert_id) if name in self.ids
        }


def dead_letters_of(
    messages: Sequence[Message], read_rows: Callable[[Sequence[str]], Rows], *, reception: str
) -> list[DeadLetter]:
    """Say of each message why it lies there. `reception`: the name of that function.

    Raises:
        Whatever `read_rows` raises, which is asked once for all ids that can be one.
    """
    wake_ups: dict[str, str] = {}
    others: dict[str, DeadLetter] = {}
    for message in messages:
        try:
            wake_ups[message.message_id] = alert_id_of(message.body)
        except PoisonMessageError as error:
            others[message.message_id] = _without_alert(message, str(error), reception)
    ids = [*dict.fromkeys(filter(ALERT_ID.fullmatch, wake_ups.values()))]
    rows = read_rows(ids) if ids else {}
    return [
        others[message.message_id]
        if message.message_id in others
        else _wake_up(message, wake_ups[message.message_id], rows)
        for message in messages
    ]


def counts(letters: Iterable[DeadLetter]) -> dict[Reason, int]:
    """How many there are of each reason that there is, in the order of `Reason`."""
    reasons = [letter.reason for letter in letters]
    return {reason: reasons.count(reason) for reason in Reason if reason in reasons}


def _without_alert(message: Message, error: str, reception: str) -> DeadLetter:
    try:
        invocation = msgspec.json.decode(message.body, type=FailedInvocation)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return DeadLetter(message=message, reason=Reason.UNREADABLE_BODY, detail=error)
    if not invocation.is_of(reception):
        return DeadLetter(message=message, reason=Reason.UNREADABLE_BODY, detail=error)
    return DeadLetter(
        message=message, reason=Reason.FAILED_ALARM, invocation=invocation, detail=invocation.error
    )


def _wake_up(message: Message, alert_id: str, rows: Rows) -> DeadLetter:
    row = rows.get(alert_id)
    if row is None:
        return DeadLetter(message=message, reason=Reason.UNKNOWN_ALERT, alert_id=alert_id)
    if isinstance(row, MalformedRowError):
        return DeadLetter(message=message, reason=Reason.UNREADABLE_ROW, alert_id=alert_id, detail=str(row))
    reason = Reason.AT_REST if row.status.at_rest else Reason.NOT_AT_REST
    return DeadLetter(message=message, reason=reason, alert_id=alert_id, alert=row, detail=row.status)
