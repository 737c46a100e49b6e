"""The events that reception gets, API Gateway's and SNS's, and the answer that API Gateway expects."""

import base64
import binascii
from typing import Any

import msgspec

from handlers.adapters.lambda_events.invocation import Event
from handlers.domain.intake.alarms import AlarmMessage
from handlers.domain.intake.webhook import Request, Response


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
        request_id=str((event.get("requestContext") or {}).get("requestId") or ""),
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
