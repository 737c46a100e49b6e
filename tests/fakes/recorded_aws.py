"""AWS's answers as they are recorded or documented, for calls that the embedded AWS answers otherwise.

Each answer is held to botocore's model of its call: a member that AWS has not cannot make a test pass.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import EndpointConnectionError
from botocore.validate import validate_parameters

from clients.aws import AwsClients
from clients.deployment import Deployment
from tests.fakes.moto_clients import moto_client
from topology.outputs import ALL

PRIMARY, FAILOVER = "us-east-1", "us-west-2"

Answer = Mapping[str, Any] | Exception
Answers = dict[str, Answer]
"""By `service.operation` in boto3's spelling; `service.operation@region` goes before."""


class RecordedAws(AwsClients):
    """Clients that answer what a test recorded; regions in `lost` cannot be connected to."""

    def __init__(self, answers: Answers) -> None:
        """`asked` will have each call, as the answers are named, with its region."""
        self.endpoint_url = None
        self.answers = answers
        self.lost: set[str] = set()
        self.asked: list[str] = []

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        return _Client(self, service, region)


class _Client:
    def __init__(self, aws: RecordedAws, service: str, region: str) -> None:
        self._aws, self._service, self._region = aws, service, region

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **asked: self._answer(operation, asked)

    def get_paginator(self, operation: str) -> Any:
        """One page."""

        class Pages:
            @staticmethod
            def paginate(**asked: Any) -> Iterator[Any]:
                asked.pop("PaginationConfig", None)  # botocore's own
                yield self._answer(operation, asked)

        return Pages

    def _answer(self, operation: str, asked: Mapping[str, Any]) -> Any:
        call = f"{self._service}.{operation}"
        self._aws.asked.append(f"{call}@{self._region}")
        if self._region in self._aws.lost:
            raise EndpointConnectionError(endpoint_url=f"{call} in {self._region}")
        answer = self._aws.answers.get(f"{call}@{self._region}", self._aws.answers.get(call))
        assert answer is not None, f"no answer is recorded for {call}"
        if isinstance(answer, Exception):
            raise answer
        client = moto_client(self._service, self._region)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        validate_parameters(dict(asked), model.input_shape)
        validate_parameters(dict(answer), model.output_shape)
        return answer


def recorded_deployment(aws: RecordedAws, *, stack: str = "prod", consistency: str = "strong") -> Deployment:
    """A stack in two regions whose AWS is recorded."""
    outputs: dict[str, object] = dict.fromkeys(ALL, "unused")
    outputs |= {"Stack": stack, "PrimaryRegion": PRIMARY, "FailoverRegion": FAILOVER}
    outputs |= {"LedgerConsistency": consistency, "AlertsTableName": "alerts"}
    outputs |= {"AnalysisCacheTableName": "cache", "CoordinationTableName": "coordination"}
    for region, prefix in ((PRIMARY, ""), (FAILOVER, "Failover")):
        outputs |= {
            f"{prefix}HealthUrl": f"http://{region}/health",
            f"{prefix}WebhookUrl": f"http://{region}/alerts",
        }
        outputs |= {f"{prefix}BackupBucketName": f"bucket-{region}", f"{prefix}BackupVaultName": "vault"}
        outputs[f"{prefix}AlarmTopicArn"] = f"arn:aws:sns:{region}:123456789012:alarms"
    return Deployment.from_outputs(outputs, aws)
