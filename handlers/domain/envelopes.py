"""What carriers wrap around a body: SNS's envelope, whose message is another body."""

from typing import Any, Final

from handlers.domain.decoding import Decoded, decode
from handlers.domain.refusal import RefusedError

_TYPES: Final = frozenset({"Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"})


def is_sns(document: dict[str, Any]) -> bool:
    """Whether it is an envelope of SNS.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    kind = document.get("Type")
    return isinstance(kind, str) and kind in _TYPES and bool({"TopicArn", "MessageId"} & document.keys())


def unwrapped(decoded: Decoded) -> Decoded:
    """The JSON object that an SNS notification carries, if it carries one; else the body as it is."""
    message = decoded.document.get("Message")
    if not is_sns(decoded.document) or not isinstance(message, str):
        return decoded
    try:
        return decode(message.encode(errors="replace"))
    except RefusedError:
        return decoded
