"""The embedded AWS's DynamoDB and S3 in this process, with its corrections and a clock that tests set."""

import asyncio
import json
from typing import Any

from ministack.services import dynamodb, s3

from emulator.aws import s3 as retention
from emulator.aws.dynamodb import shortcuts
from emulator.aws.dynamodb.exports import Exports
from emulator.aws.dynamodb.point_in_time import Recovery

NOW_S = 1_790_000_000.25
TABLE = "things"
TABLE_ARN = f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}"
BUCKET = "exports"


class RefusedByAwsError(Exception):
    """The call was refused; its text begins with the name of AWS's exception."""


class InProcessAws:
    """DynamoDB by its own API, as JSON; S3's objects; time stands still unless a test moves it."""

    def __init__(self) -> None:
        """Install the corrections over ministack's functions."""
        self.now_s = NOW_S
        recovery = Recovery(lambda: self.now_s)
        recovery.install()
        Exports(recovery).install()
        retention.keep_retention()
        shortcuts.install()

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call of DynamoDB. An export that it starts is over when it returns.

        Raises:
            RefusedByAwsError: DynamoDB refused.
        """
        return asyncio.run(self._call(operation, arguments))

    def object(self, key: str) -> dict[str, Any]:
        """An object of the bucket, as ministack keeps it: `body`, `etag`."""
        found: dict[str, Any] = s3._buckets[BUCKET]["objects"][key]  # noqa: SLF001 - no call gives both at once
        return found

    def keys(self) -> list[str]:
        """Of the bucket's objects, in the order in which they were written."""
        return list(s3._buckets[BUCKET]["objects"])  # noqa: SLF001 - a listing would sort them

    def make_table(self, *, recovery: bool = True) -> None:
        """A table, and a bucket to export to."""
        asyncio.run(s3.handle_request("PUT", f"/{BUCKET}", {}, b"", {}))
        self.call(
            "CreateTable",
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        if recovery:
            wanted = {"PointInTimeRecoveryEnabled": True}
            self.call("UpdateContinuousBackups", TableName=TABLE, PointInTimeRecoverySpecification=wanted)

    def put(self, name: str, **attributes: str) -> None:
        """Put an item of text attributes."""
        item = {"id": name, **attributes}
        self.call("PutItem", TableName=TABLE, Item={key: {"S": value} for key, value in item.items()})

    def delete(self, name: str) -> None:
        """Delete an item."""
        self.call("DeleteItem", TableName=TABLE, Key={"id": {"S": name}})

    async def _call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        target = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
        status, _, body = await dynamodb.handle_request(
            "POST", "/", target, json.dumps(arguments).encode(), {}
        )
        running = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*running)
        answer: dict[str, Any] = json.loads(body)
        if status != 200:
            raise RefusedByAwsError(f"{answer['__type']}: {answer['message']}")
        return answer
