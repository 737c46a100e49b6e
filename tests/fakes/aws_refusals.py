"""AWS that refuses a call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError


def refusal(code: str, *, status: int = 400) -> ClientError:
    """What boto3 raises."""
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Call")


@dataclass
class Refusals:
    """Put over a client: `call` fails by `error`, `times` times over all clients; others go through."""

    call: str
    error: Exception
    times: int = 1_000_000

    def __call__(self, client: Any) -> Any:
        """The client with refusals."""
        return _Refusing(self, client)

    def refuse(self, **_: Any) -> Any:
        """A call that is refused."""
        self.times -= 1
        raise self.error


class _Refusing:
    def __init__(self, refusals: Refusals, client: Any) -> None:
        self._refusals, self._client = refusals, client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == self._refusals.call and self._refusals.times > 0:
            return self._refusals.refuse
        return getattr(self._client, name)
