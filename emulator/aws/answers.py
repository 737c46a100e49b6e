"""The answers of calls that are handled here and not by ministack: a document, or one of AWS's exceptions.

Used by the corrections of DynamoDB, S3 and AWS Backup.
"""

from collections.abc import Callable
from typing import Any, Final

from ministack.core import responses

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body, as ministack's handlers give them."""

OK: Final = 200


class RefusalError(Exception):
    """AWS refuses the call; `code` is the name of its exception."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code and the message for the answer."""
        super().__init__(message)
        self.code = code


def answering(call: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], Answer]:
    """Make a handler in ministack's form of a function that returns a document or raises a RefusalError."""

    def handle(data: dict[str, Any]) -> Answer:
        try:
            return answer_of(call(data))
        except RefusalError as refusal:
            return refused(refusal)

    return handle


def answer_of(document: dict[str, Any]) -> Answer:
    """Make the answer 200 with a document."""
    answer: Answer = responses.json_response(document)
    return answer


def refused(refusal: RefusalError) -> Answer:
    """Make the answer 400 for a refusal, in DynamoDB's form."""
    answer: Answer = responses.error_response_json(refusal.code, str(refusal), 400)
    return answer
