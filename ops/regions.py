"""Which region a command asks, and which to ask instead when that one is dark."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError

from clients.aws import passes
from clients.deployment import Deployment
from topology.errors import ExplainedError


class RegionSilentError(ExplainedError):
    """The region that was asked does not answer; the message names the other one."""


@contextmanager
def asking(deployment: Deployment, region: str) -> Iterator[None]:
    """Have what is said when the region does not answer end with the option by which the other is asked.

    Raises:
        RegionSilentError: an `ExplainedError` was raised because nothing answered.
    """
    try:
        yield
    except ExplainedError as error:
        cause = error.__cause__
        if not (isinstance(cause, BotoCoreError) and passes(cause)):
            raise
        other = next(one.region for one in deployment.regions if one.region != region)
        raise RegionSilentError(
            f"{str(error).rstrip('.')}; the other region has its own: add `--region {other}`"
        ) from error
