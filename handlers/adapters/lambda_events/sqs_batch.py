"""SQS's batches: one message after the other, in the time that the invocation has."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from handlers.adapters.lambda_events.invocation import Context, Event, hard_ms
from handlers.domain.delivery.leases import Deadline, PoisonMessageError
from handlers.domain.ports import Clock

_log = logging.getLogger(__name__)

_MAX_SHARE: Final = 2
"""A message with others behind it may take half of the invocation: the model's answer needs seconds, and
the others often find it in the cache. What comes to its turn in the last quarter is left to another one."""

_LATE: Final = 4


def work_batch(
    event: Event,
    work: Callable[[str, Deadline], None],
    *,
    expect: Callable[[Sequence[str]], None],
    context: Context,
    clock: Clock,
) -> dict[str, Any]:
    """Do each message of an SQS event; answers which to keep in the queue: the poison and what broke us.

    `expect` is told first which alerts they are about.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    started_ms, end_ms = clock.now_ms(), hard_ms(context, clock)
    total_ms = end_ms - started_ms
    failed: list[str] = []
    records = event["Records"]
    expected: list[str] = []
    for record in records:
        with suppress(PoisonMessageError):
            expected.append(_alert_id_of(record["body"]))
    expect(expected)
    for number, record in enumerate(records, start=1):
        now_ms = clock.now_ms()
        if now_ms >= end_ms:
            # Frozen and woken: somebody else may have these by now, and nothing may be done for them here.
            _log.error("Woken after the end, leaving the rest", extra={"messages": len(records) - number + 1})
            failed += [late["messageId"] for late in records[number - 1 :]]
            break
        share_ms = total_ms if number == len(records) else total_ms // _MAX_SHARE
        deadline = Deadline(
            soft_ms=min(end_ms, now_ms + share_ms),
            hard_ms=end_ms,
            expired=end_ms - now_ms < total_ms // _LATE,
        )
        message_id, alert_id = record["messageId"], None
        try:
            alert_id = _alert_id_of(record["body"])
            work(alert_id, deadline)
        except PoisonMessageError as error:
            _log.error("Poison message", extra={"message_id": message_id, "reason": str(error)})
            failed.append(message_id)
        except Exception:  # noqa: BLE001 - the process edge: one alert's defect must not take the batch along
            _log.exception("A message failed", extra={"message_id": message_id, "alert_id": alert_id})
            failed.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


class _WakeUp(msgspec.Struct):
    alert_id: str


def _alert_id_of(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=_WakeUp).alert_id
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PoisonMessageError(f'not {{"alert_id": "..."}}: {error}') from error
