"""Runs Recovery out of turn: failovers hurry it, and short experiments cannot wait for its next minute."""

from clients.deployment import Deployment
from topology.functions import RECOVERY
from topology.names import LIVE_ALIAS


def run_recovery(deployment: Deployment, region: str) -> None:
    """Have Recovery run in `region` now, as its schedule does each minute.

    Raises:
        botocore.exceptions.ClientError, BotoCoreError: the region did not take the call.
    """
    deployment.clients.client("lambda", region).invoke(
        FunctionName=deployment.names.function(RECOVERY),
        Qualifier=LIVE_ALIAS,
        InvocationType="Event",
        Payload=b"{}",
    )
