"""botocore clients with deadlines: made once per cold start, never at import.

Two tries of a few seconds at most: reception must answer 503 well within its timeout when the ledger is
gone, and every other handler leaves the rest to Recovery.
"""

from functools import cache, partial
from typing import Any, Final

from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS
from botocore.session import Session

CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 1.5
_ATTEMPTS: Final = 2
_POOL: Final = 16
"""Connections kept: as many as reception's threads use at once, and some."""

_USER_AGENT: Final = "mcp-incident-responder"

_SERVICE_IDS: Final = ("dynamodb", "sqs", "secrets-manager", "sns")
"""The services that handlers call, as botocore names them in its events."""


def client(
    service: str, region: str, *, attempts: int = _ATTEMPTS, read_timeout_s: float = READ_TIMEOUT_S
) -> Any:
    """A client of `service` in `region`. It may be used by several threads at once.

    Parameter validation is off: it costs an eighth of a call, and our requests are built in few places. The
    user agent is given: botocore would put its own together for each call, at a tenth of it.
    """
    return _session().create_client(
        service,
        region_name=region,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            max_pool_connections=_POOL,
            parameter_validation=False,
            user_agent=_USER_AGENT,
        ),
    )


class LateClient:
    """A client that is made when it is first called: for what few invocations need."""

    def __init__(self, service: str, region: str, **options: Any) -> None:
        """As `client`."""
        self._made = cache(partial(client, service, region, **options))

    def __getattr__(self, name: str) -> Any:
        """The client's own."""
        return getattr(self._made(), name)


@cache
def _session() -> Session:
    """What all clients share: credentials, and the data that describes AWS.

    botocore's own handlers of other services' events are left out: a third of a first client's making.
    """
    session = Session(include_builtin_handlers=False)
    for entry in BUILTIN_HANDLERS:
        if "." not in entry[0] or entry[0].split(".")[1] in _SERVICE_IDS:
            event, handle = entry  # none of these asks for a place before or behind the others
            session.register(event, handle)
    return session
