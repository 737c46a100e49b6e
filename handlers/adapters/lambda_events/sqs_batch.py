"""SQS's batches: chains of alerts side by side, in the time that the invocation has."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from handlers.adapters.lambda_events.invocation import Context, Event, hard_ms
from handlers.domain.delivery.leases import Deadline, PoisonMessageError
from handlers.domain.ports import Clock, Executor

_log = logging.getLogger(__name__)

_MAX_SHARE: Final = 2
"""A message with others behind it may take half of the invocation: the model's answer needs seconds, and
the others often find it in the cache. What comes to its turn in the last quarter is left to another one."""

_LATE: Final = 4


def work_batch(
    event: Event,
    work: Callable[[str, Deadline], None],
    *,
    chains: Callable[[Sequence[str]], Sequence[Sequence[str]]],
    executor: Executor,
    context: Context,
    clock: Clock,
) -> dict[str, Any]:
    """Do each alert of an SQS event; answers which messages to keep: the poison and what broke us.

    `chains` is told all alerts first, and says which are done one after the other; each is in one chain.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    started_ms, end_ms = clock.now_ms(), hard_ms(context, clock)
    total_ms = end_ms - started_ms
    messages: dict[str, list[str]] = {}
    failed: list[str] = []
    for record in event["Records"]:
        try:
            messages.setdefault(alert_id_of(record["body"]), []).append(record["messageId"])
        except PoisonMessageError as error:
            _log.error("Poison message", extra={"message_id": record["messageId"], "reason": str(error)})
            failed.append(record["messageId"])

    def work_chain(chain: Sequence[str]) -> None:
        for number, alert_id in enumerate(chain, start=1):
            now_ms = clock.now_ms()
            if now_ms >= end_ms:
                # Frozen and woken: somebody else may have these by now; nothing may be done for them here.
                _log.error(
                    "Woken after the end, leaving the rest", extra={"messages": len(chain) - number + 1}
                )
                failed.extend(message_id for late in chain[number - 1 :] for message_id in messages[late])
                return
            share_ms = total_ms if number == len(chain) else total_ms // _MAX_SHARE
            deadline = Deadline(
                soft_ms=min(end_ms, now_ms + share_ms),
                hard_ms=end_ms,
                expired=end_ms - now_ms < total_ms // _LATE,
            )
            try:
                work(alert_id, deadline)
            except PoisonMessageError as error:
                _log.error(
                    "Poison message", extra={"message_id": messages[alert_id][0], "reason": str(error)}
                )
                failed.extend(messages[alert_id])
            except Exception:  # noqa: BLE001 - the process edge: one alert's defect must not take the batch along
                _log.exception(
                    "A message failed", extra={"message_id": messages[alert_id][0], "alert_id": alert_id}
                )
                failed.extend(messages[alert_id])

    executor.map(work_chain, chains([*messages]))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


class _WakeUp(msgspec.Struct):
    alert_id: str


def alert_id_of(body: str) -> str:
    """The alert that a message wakes.

    Raises:
        PoisonMessageError: it is no wake-up.
    """
    try:
        return msgspec.json.decode(body, type=_WakeUp).alert_id
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PoisonMessageError(f'not {{"alert_id": "..."}}: {error}') from error
