"""How the corrections answer in ministack's place: a document, or a refusal by the name of AWS's exception.

Used by everything here that answers calls of DynamoDB, S3 or AWS Backup.
"""

from collections.abc import Callable
from typing import Any, Final

from ministack.core import responses

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body, as ministack's handlers give them."""

OK: Final = 200


class RefusalError(Exception):
    """AWS refuses the call: `code` is the name of its exception."""

    def __init__(self, code: str, message: str) -> None:
        """Keep what the answer will say."""
        super().__init__(message)
        self.code = code


def answering(call: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], Answer]:
    """A handler of ministack's of a call that returns a document or raises a RefusalError."""

    def handle(data: dict[str, Any]) -> Answer:
        try:
            return answer_of(call(data))
        except RefusalError as refusal:
            return refused(refusal)

    return handle


def answer_of(document: dict[str, Any]) -> Answer:
    """A good answer."""
    answer: Answer = responses.json_response(document)
    return answer


def refused(refusal: RefusalError) -> Answer:
    """A refusal as DynamoDB gives it."""
    answer: Answer = responses.error_response_json(refusal.code, str(refusal), 400)
    return answer
