"""Runs Recovery out of turn, for short experiments that cannot wait for its next minute."""

from botocore.exceptions import BotoCoreError, ClientError

from chaos.target import Target
from topology.functions import RECOVERY
from topology.names import LIVE_ALIAS


def run_recovery(target: Target) -> list[str]:
    """Invoke Recovery in each region as its schedule does; return those that took it. A lost one does not."""
    deployment = target.deployment
    took = []
    for endpoints in deployment.regions:
        functions = deployment.clients.client("lambda", endpoints.region)
        try:
            functions.invoke(
                FunctionName=deployment.names.function(RECOVERY),
                Qualifier=LIVE_ALIAS,
                InvocationType="Event",
                Payload=b"{}",
            )
        except (BotoCoreError, ClientError):
            continue
        took.append(endpoints.region)
    return took
