"""Lambda's event shapes: API Gateway's, SNS's and SQS's, turned into the domain's values and back."""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from handlers.domain.alarms import AlarmMessage
from handlers.domain.claims import Allotment, PoisonMessageError
from handlers.domain.ports import Clock
from handlers.domain.webhook import Request, Response

_log = logging.getLogger(__name__)

Event = Mapping[str, Any]


class Context(Protocol):
    """What we use of Lambda's context.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def get_remaining_time_in_millis(self) -> int:
        """Until the invocation is killed."""


def killed_at_ms(context: Context, clock: Clock) -> int:
    """When this invocation will be killed, epoch milliseconds."""
    return clock.now_ms() + context.get_remaining_time_in_millis()


def request_of(event: Event) -> Request:
    """The request in an API Gateway REST proxy event; a body that is no text comes out as it can.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    text = event.get("body") or ""
    # Lone surrogates become bytes that are no UTF-8, which the intake refuses.
    body = text.encode(errors="surrogatepass")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            body = b"not base64"
    return Request(
        method=event["httpMethod"],
        path=event.get("resource") or event["path"],
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=body,
    )


def proxy_answer(response: Response) -> dict[str, Any]:
    """The answer that API Gateway expects of a proxy integration."""
    return {
        "statusCode": response.status,
        "headers": {"Content-Type": "application/json", **response.headers},
        "body": msgspec.json.encode(response.body).decode(),
        "isBase64Encoded": False,
    }


def alarm_messages(event: Event) -> list[AlarmMessage] | None:
    """The messages of an SNS event; None if it is another kind of event.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    """
    records = event.get("Records")
    if not isinstance(records, list) or any(record.get("EventSource") != "aws:sns" for record in records):
        return None
    return [
        AlarmMessage(
            topic_arn=record["Sns"]["TopicArn"],
            message_id=record["Sns"]["MessageId"],
            text=record["Sns"]["Message"],
        )
        for record in records
    ]


_MAX_SHARE: Final = 2
"""A message with others behind it may take half of the invocation: the model's answer needs seconds, and
the others often find it in the cache. What comes to its turn in the last quarter is left to another one."""

_LATE: Final = 4


def work_batch(
    event: Event, work: Callable[[str, Allotment], None], *, context: Context, clock: Clock
) -> dict[str, Any]:
    """Do each message of an SQS event; answers which to keep in the queue: the poison and what broke us.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    started_ms, end_ms = clock.now_ms(), killed_at_ms(context, clock)
    total_ms = end_ms - started_ms
    failed: list[str] = []
    for behind, record in zip(range(len(event["Records"]) - 1, -1, -1), event["Records"], strict=True):
        now_ms = clock.now_ms()
        allotment = Allotment(
            until_ms=min(end_ms, now_ms + total_ms // _MAX_SHARE) if behind else end_ms,
            killed_at_ms=end_ms,
            too_late=end_ms - now_ms < total_ms // _LATE,
        )
        message_id, alert_id = record["messageId"], None
        try:
            alert_id = _alert_id_of(record["body"])
            work(alert_id, allotment)
        except PoisonMessageError as error:
            _log.error("Poison message", extra={"message_id": message_id, "reason": str(error)})
            failed.append(message_id)
        except Exception:  # noqa: BLE001 - the process edge: one alert's defect must not take the batch along
            _log.exception("A message failed", extra={"message_id": message_id, "alert_id": alert_id})
            failed.append(message_id)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


class _Hint(msgspec.Struct):
    alert_id: str


def _alert_id_of(body: str) -> str:
    try:
        return msgspec.json.decode(body, type=_Hint).alert_id
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise PoisonMessageError(f'not {{"alert_id": "..."}}: {error}') from error
