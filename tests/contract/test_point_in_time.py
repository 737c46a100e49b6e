"""Point-in-time recovery of the embedded AWS: to the second, into a new table, without what AWS drops."""

from typing import Any

import pytest

from tests.fakes.in_process_aws import NOW_S, TABLE, TABLE_ARN, InProcessAws, RefusedByAwsError

ENABLED_S = int(NOW_S) + 1


def restore(aws: InProcessAws, **arguments: Any) -> dict[str, Any]:
    """Restore the table into `restored`."""
    asked = {"SourceTableName": TABLE, "TargetTableName": "restored"} | arguments
    described: dict[str, Any] = aws.call("RestoreTableToPointInTime", **asked)["TableDescription"]
    return described


def values(aws: InProcessAws, table: str) -> dict[str, str]:
    """The items of a table, by id."""
    return {item["id"]["S"]: item["v"]["S"] for item in aws.call("Scan", TableName=table)["Items"]}


def window(aws: InProcessAws) -> tuple[int, int]:
    """The earliest and the latest time that may be restored."""
    described = aws.call("DescribeContinuousBackups", TableName=TABLE)["ContinuousBackupsDescription"]
    recovery = described["PointInTimeRecoveryDescription"]
    return recovery["EarliestRestorableDateTime"], recovery["LatestRestorableDateTime"]


@pytest.fixture
def corrupted(aws: InProcessAws) -> InProcessAws:
    """A table that a bad writer changed ten seconds after a good one."""
    aws.make_table()
    aws.now_s += 10
    aws.put("kept", v="good")
    aws.put("changed", v="good")
    aws.put("deleted", v="good")
    aws.now_s += 10
    aws.put("changed", v="bad")
    aws.delete("deleted")
    aws.put("added", v="bad")
    aws.now_s += 10
    return aws


def test_restore_brings_the_minute_before_the_bad_writer(corrupted: InProcessAws) -> None:
    """Items that it changed, deleted and added are as they were; the source is not touched."""
    restore(corrupted, RestoreDateTime=ENABLED_S + 15)
    assert values(corrupted, "restored") == {"kept": "good", "changed": "good", "deleted": "good"}
    assert values(corrupted, TABLE) == {"kept": "good", "changed": "bad", "added": "bad"}


def test_latest_time_is_now(corrupted: InProcessAws) -> None:
    """Pinned deviation: AWS's latest time is five minutes ago."""
    restore(corrupted, UseLatestRestorableTime=True)
    assert values(corrupted, "restored") == values(corrupted, TABLE)
    assert window(corrupted) == (ENABLED_S, int(corrupted.now_s))


def test_conditional_updates_and_batches_are_in_the_history(aws: InProcessAws) -> None:
    """However an item was written."""
    aws.make_table()
    item = {"id": {"S": "a"}, "v": {"S": "1"}}
    aws.call("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": item}}]})
    aws.now_s += 10
    aws.call(
        "UpdateItem",
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "2"}},
    )
    restore(aws, RestoreDateTime=ENABLED_S + 5)
    assert (values(aws, "restored"), values(aws, TABLE)) == ({"a": "1"}, {"a": "2"})


def test_replica_has_a_history_of_its_own_writes_and_those_of_the_others(aws: InProcessAws) -> None:
    """A bad write replicates at once; the other region can go back too."""
    from ministack.core.responses import request_scope  # noqa: PLC0415 - the only test that changes region

    aws.make_table()
    aws.call("UpdateTable", TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    with request_scope("000000000000", "us-west-2"):
        wanted = {"PointInTimeRecoveryEnabled": True}
        aws.call("UpdateContinuousBackups", TableName=TABLE, PointInTimeRecoverySpecification=wanted)
    aws.now_s += 10
    aws.put("a", v="good")
    aws.now_s += 10
    aws.put("a", v="bad")
    with request_scope("000000000000", "us-west-2"):
        assert values(aws, TABLE) == {"a": "bad"}
        restore(aws, RestoreDateTime=ENABLED_S + 15)
        assert values(aws, "restored") == {"a": "good"}


def test_restored_table_lacks_what_aws_drops(aws: InProcessAws) -> None:
    """Keys, indexes and billing stay; TTL, tags, stream, recovery, protection and replicas go."""
    aws.make_table()
    aws.call(
        "UpdateTimeToLive", TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "t"}
    )
    aws.call("TagResource", ResourceArn=TABLE_ARN, Tags=[{"Key": "a", "Value": "b"}])
    aws.call("UpdateTable", TableName=TABLE, DeletionProtectionEnabled=True)
    aws.call("UpdateTable", TableName=TABLE, ReplicaUpdates=[{"Create": {"RegionName": "us-west-2"}}])
    restored = restore(aws, UseLatestRestorableTime=True)
    assert restored["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert restored["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert restored["RestoreSummary"]["SourceTableArn"] == TABLE_ARN
    assert not restored["DeletionProtectionEnabled"]
    assert not restored.keys() & {"Replicas", "StreamSpecification", "LatestStreamArn"}
    time_to_live = aws.call("DescribeTimeToLive", TableName="restored")["TimeToLiveDescription"]
    assert time_to_live == {"TimeToLiveStatus": "DISABLED"}
    assert aws.call("ListTagsOfResource", ResourceArn=restored["TableArn"])["Tags"] == []
    backups = aws.call("DescribeContinuousBackups", TableName="restored")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"] == {"PointInTimeRecoveryStatus": "DISABLED"}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ({"RestoreDateTime": ENABLED_S - 1}, "InvalidRestoreTimeException"),
        ({"RestoreDateTime": ENABLED_S + 30}, "InvalidRestoreTimeException"),
        ({"UseLatestRestorableTime": True, "TargetTableName": TABLE}, "TableAlreadyExistsException"),
        ({"UseLatestRestorableTime": True, "SourceTableName": "none"}, "TableNotFoundException"),
        ({}, "ValidationException"),
        ({"RestoreDateTime": ENABLED_S, "UseLatestRestorableTime": True}, "ValidationException"),
    ],
)
def test_restore_that_aws_would_refuse_is_refused(
    corrupted: InProcessAws, arguments: dict[str, Any], refusal: str
) -> None:
    """And no table is made."""
    with pytest.raises(RefusedByAwsError, match=refusal):
        restore(corrupted, **arguments)
    assert corrupted.call("ListTables")["TableNames"] == [TABLE]


def test_history_ends_when_recovery_is_disabled(corrupted: InProcessAws) -> None:
    """Enabled again, it begins anew: what was before cannot be restored."""
    for enabled in (False, True):
        wanted = {"PointInTimeRecoveryEnabled": enabled}
        corrupted.call("UpdateContinuousBackups", TableName=TABLE, PointInTimeRecoverySpecification=wanted)
        if not enabled:
            with pytest.raises(RefusedByAwsError, match="PointInTimeRecoveryUnavailableException"):
                restore(corrupted, UseLatestRestorableTime=True)
    with pytest.raises(RefusedByAwsError, match="InvalidRestoreTimeException"):
        restore(corrupted, RestoreDateTime=ENABLED_S + 15)
