"""A deployed stack on moto: tables and queues in two regions, of which any can be lost."""

from types import SimpleNamespace
from typing import Any

from botocore.exceptions import EndpointConnectionError

from clients.aws import AwsClients
from clients.deployment import Deployment
from tests.fakes.aws_tables import create_tables
from tests.fakes.moto_clients import moto_client
from topology.outputs import ALL

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
QUEUES = ("Processing", "ProcessingCritical", "DeadLetter",
          "Distribution", "DistributionCritical", "DistributionDeadLetter")  # fmt: skip


class LossyClients(AwsClients):
    """Clients that cannot connect to the regions in `lost`. `environments`: of functions, by name."""

    def __init__(self) -> None:
        """Every region answers."""
        super().__init__()
        self.lost: set[str] = set()
        self.environments: dict[str, dict[str, str]] = {}

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`; of a lost region, what botocore raises at the call."""
        if region in self.lost:
            raise EndpointConnectionError(endpoint_url=f"{service} of {region}")
        if service == "lambda" and self.environments:
            return SimpleNamespace(get_function_configuration=self._configuration)
        return super().client(service, region)

    def _configuration(self, *, FunctionName: str, **_: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        return {"Environment": {"Variables": self.environments[FunctionName]}}


def deployment_on_moto(*, consistency: str = "strong") -> Deployment:
    """The stack, with a ledger of its own in each region: moto replicates nothing."""
    return Deployment.from_outputs(outputs_on_moto(consistency=consistency), LossyClients())


def outputs_on_moto(*, consistency: str = "strong") -> dict[str, object]:
    """Make that stack, and return its outputs."""
    outputs: dict[str, object] = dict.fromkeys(ALL, "unused")
    outputs |= {
        "Stack": "dev",
        "PrimaryRegion": PRIMARY,
        "FailoverRegion": FAILOVER,
        "LedgerConsistency": consistency,
    }
    for region, prefix in ((PRIMARY, ""), (FAILOVER, "Failover")):
        names = create_tables(region)
        outputs["AlertsTableName"] = names["alerts"]
        outputs["AnalysisCacheTableName"] = names["analysis-cache"]
        outputs["CoordinationTableName"] = names["coordination"]
        sqs = moto_client("sqs", region)
        for key in QUEUES:
            outputs[f"{prefix}{key}QueueUrl"] = sqs.create_queue(QueueName=key)["QueueUrl"]
    return outputs
