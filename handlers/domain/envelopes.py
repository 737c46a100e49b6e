"""What carriers wrap around a body: SNS's envelope, whose message is another body."""

from typing import Any, Final

from handlers.domain.decoding import Decoded, decode
from handlers.domain.refusal import RefusedError

_MARKS: Final = frozenset(
    {"Type", "MessageId", "TopicArn", "Message", "SignatureVersion", "Signature", "SigningCertURL"}
    | {"SubscribeURL", "UnsubscribeURL"}
)
_MARKS_NEEDED: Final = 3


def is_sns(document: dict[str, Any]) -> bool:
    """Whether it is an envelope of SNS.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    return len(_MARKS & document.keys()) >= _MARKS_NEEDED


def unwrapped(decoded: Decoded) -> Decoded:
    """The JSON object that an SNS notification carries, if it carries one; else the body as it is."""
    message = decoded.document.get("Message")
    if not is_sns(decoded.document) or not isinstance(message, str):
        return decoded
    try:
        return decode(message.encode(errors="replace"))
    except RefusedError:
        return decoded
