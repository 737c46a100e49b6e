"""boto3 clients with deadlines: made once per cold start, never at import.

Two tries of a few seconds at most: reception must answer 503 well within its timeout when the ledger is
gone, and every other handler leaves the rest to Recovery.
"""

from typing import Any, Final

import boto3
from botocore.config import Config

CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 1.5
_ATTEMPTS: Final = 2
_POOL: Final = 16
"""Connections kept: as many as reception's threads use at once, and some."""


def client(
    service: str, region: str, *, attempts: int = _ATTEMPTS, read_timeout_s: float = READ_TIMEOUT_S
) -> Any:
    """A client of `service` in `region`. It may be used by several threads at once.

    Parameter validation is off: it costs an eighth of a call, and our requests are built in few places.
    """
    return boto3.client(
        service,  # type: ignore[call-overload]  # boto3-stubs has one overload a literal name
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=_POOL,
            parameter_validation=False,
        ),
    )
