"""The floor of `benchmarks.handlers.embedded`: a function that makes reception's calls and logs one line.

It goes into a package of its own, beside botocore, and decides nothing. `ROW` is a row of reception's, as
JSON.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, Final

from botocore.session import get_session

_session: Final = get_session()
_dynamodb: Final[Any] = _session.create_client("dynamodb")
_sqs: Final[Any] = _session.create_client("sqs")
_ALERTS: Final = os.environ["ALERTS_TABLE"]
_COORDINATION: Final = os.environ["COORDINATION_TABLE"]
_ROW: Final = json.loads(os.environ["ROW"])


def handler(event: Mapping[str, Any], _context: object) -> Mapping[str, Any]:
    """Read what reception reads, write a row, send a wake-up, answer 202."""
    alert_id = json.loads(event["body"])["id"]
    records = {"Keys": [{"name": {"S": f"fault#{alert_id}"}}], "ConsistentRead": True}
    _dynamodb.batch_get_item(RequestItems={_COORDINATION: records})
    ids = [{"alert_id": {"S": alert_id}}, {"alert_id": {"S": f"{alert_id}-before"}}]
    _dynamodb.batch_get_item(RequestItems={_ALERTS: {"Keys": ids, "ConsistentRead": True}})
    _dynamodb.update_item(
        TableName=_COORDINATION,
        Key={"name": {"S": "floor"}},
        UpdateExpression="SET #count = if_not_exists(#count, :none) + :one",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":none": {"N": "0"}, ":one": {"N": "1"}},
        ReturnValues="UPDATED_NEW",
    )
    _dynamodb.put_item(
        TableName=_ALERTS,
        Item={**_ROW, "alert_id": {"S": alert_id}},
        ConditionExpression="attribute_not_exists(alert_id)",
    )
    message = {"Id": "0", "MessageBody": json.dumps({"alert_id": alert_id}), "MessageGroupId": "floor"}
    _sqs.send_message_batch(QueueUrl=os.environ["QUEUE_URL"], Entries=[message])
    sys.stdout.write(json.dumps({"message": "accepted", "alert_id": alert_id}) + "\n")
    answer = {"alerts": [{"index": 0, "alert_id": alert_id, "status": "RECEIVED"}]}
    return {"statusCode": 202, "headers": {"Content-Type": "application/json"}, "body": json.dumps(answer)}
