"""AWS clients on moto, made once for all tests of a worker: making one takes longer than most tests.

Only how to call is shared. Moto keeps what was stored, and begins each test with nothing.
"""

from functools import cache
from typing import Any

from clients.aws import AwsClients


class MotoClients(AwsClients):
    """`AwsClients` without a session of its own."""

    def __init__(self) -> None:
        """Nothing is made."""
        self.endpoint_url = None

    def check_credentials(self) -> None:
        """Moto takes any."""

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        return moto_client(service, region)


def moto_client(service: str, region: str) -> Any:
    """The client of a service in a region; the same one in every test."""
    return _shared().client(service, region)


@cache
def _shared() -> AwsClients:
    return AwsClients(access_key="testing", secret_key="testing")
