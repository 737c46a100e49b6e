"""Waiting for an export: AWS may be too busy to say how it stands, and it may fail."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dr.exports.requests import ExportRefusedError, ExportsUnknownError, wait_export

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/alerts/export/1"


class FakeDynamo:
    """DynamoDB that answers with these states or error codes, the last one again and again."""

    def __init__(self, *answers: str) -> None:
        """Nobody has asked yet."""
        self._answers = list(answers)

    def client(self, _service: str, _region: str) -> "FakeDynamo":
        """See `AwsClients`."""
        return self

    def describe_export(self, *, ExportArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """See boto3."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer.endswith("Exception"):
            raise ClientError({"Error": {"Code": answer, "Message": "no"}}, "DescribeExport")
        described = {"ExportArn": ExportArn, "ExportStatus": answer, "TableArn": "t", "S3Bucket": "b"}
        return {"ExportDescription": described}


def _wait(*answers: str, within_s: float = 10) -> str:
    deployment: Any = SimpleNamespace(clients=FakeDynamo(*answers))
    return wait_export(deployment, "us-east-1", ARN, within_s=within_s).status


def test_an_export_is_waited_for_although_aws_is_busy() -> None:
    """One throttled question does not end hours of waiting."""
    assert _wait("ThrottlingException", "IN_PROGRESS", "COMPLETED") == "COMPLETED"


@pytest.mark.parametrize(
    ("answers", "within_s", "error", "said"),
    [
        (("IN_PROGRESS", "FAILED"), 10, ExportRefusedError, "is FAILED: no reason given"),
        (("IN_PROGRESS",), 0, ExportRefusedError, "still IN_PROGRESS after 0 s"),
        (("ExportNotFoundException",), 10, ExportRefusedError, "there is no export"),
        (("ThrottlingException",), 0, ExportsUnknownError, "does not answer"),
    ],
)
def test_an_export_that_does_not_complete_is_refused(
    answers: tuple[str, ...], within_s: float, error: type[Exception], said: str
) -> None:
    """It failed, takes too long, is not there, or nobody can say."""
    with pytest.raises(error, match=said):
        _wait(*answers, within_s=within_s)
