"""An operator's question whether this function can read a version of a secret, and the service takes it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from handlers.adapters.aws.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.domain.ports import (
    AnalystBusyError,
    AnalystFailedError,
    AnalystUnconfiguredError,
    NotifierError,
)
from topology.secret_checks import CHECK_SECRET

Probe = Callable[[Secret, float], None]
"""Asks the service, within so many seconds, whether it takes a secret; raises one of `_PROBLEMS` if not."""

_WITHIN_S: Final = 10.0
_PROBLEMS: Final = (
    AnalystBusyError,
    AnalystFailedError,
    AnalystUnconfiguredError,
    NotifierError,
    SecretMissingError,
    SecretUnavailableError,
)


def checked(
    event: Mapping[str, Any], *, secret: Callable[[str, str], Secret], probes: Mapping[str, Probe]
) -> dict[str, str]:
    """The answer to an event as in `topology.secret_checks`; the secret is read now. It has no value in it.

    `secret` gives the secret of a name and stage; `probes`: by the names of the function's secrets.
    """
    name, stage = event[CHECK_SECRET]["name"], event[CHECK_SECRET]["stage"]
    if name not in probes:
        return {"version": "", "problem": "this function has no such secret; deploy the stack again"}
    given, problem = secret(name, stage), ""
    try:
        given.value(fresh=True)
        probes[name](given, _WITHIN_S)
    except _PROBLEMS as error:
        problem = str(error)
    return {"version": given.version, "problem": problem}
