"""Clients of a stack on moto: its Lambda notes what it is asked, others may refuse what a test says."""

from collections.abc import Callable
from typing import Any

from tests.fakes.deployment import LossyClients


class StackClients(LossyClients):
    """moto, with a Lambda that notes what it is handed, and by service whatever `over` puts over a client."""

    def __init__(self) -> None:
        """Nothing was invoked."""
        super().__init__()
        self.invoked: list[dict[str, Any]] = []
        self.answer: dict[str, str] = {}
        self.over: dict[str, Callable[[Any], Any]] = {}

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        if service == "lambda":
            return self
        client = super().client(service, region)
        return self.over[service](client) if service in self.over else client

    def invoke(self, **asked: Any) -> dict[str, Any]:
        """Lambda's `Invoke`: it answers what `answer` says besides."""
        self.invoked.append(asked)
        return {"StatusCode": 202, **self.answer}
