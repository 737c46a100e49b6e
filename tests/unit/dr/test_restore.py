"""Settings, restores, copies and repairs on moto: what is refused, resumed, reapplied and left alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from clients.deployment import Deployment
from dr.comparison.items import compare
from dr.exports.planted import GOOD_SETTINGS
from dr.exports.requests import (
    COMPLETED,
    ExportInfo,
    ExportRefusedError,
    ExportsUnknownError,
    export_age_s,
    start_export,
    usable,
)
from dr.exports.row_schema import OtherSchemaError
from dr.exports.synthesis import TABLE_ARN
from dr.restores.calls import RestoreRefusedError
from dr.restores.restore import Restorer, new_table_name, remove_restored
from dr.restores.settings import (
    Settings,
    SettingsUnknownError,
    as_restored,
    differences,
    read_settings,
    reapply,
    settings_of,
)
from dr.restores.table_definition import table_definition
from dr.restores.table_items import TableUnwritableError, copy_items, spool_table
from ops.dr.states import state
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients, deployment_on_moto
from topology.alerts import SCHEMA, SCHEMA_ATTRIBUTE
from topology.config import StackConfig
from topology.tables import ALERTS

KEY = ALERTS.hash_key
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OUR_SCHEMA = {SCHEMA_ATTRIBUTE: {"N": str(SCHEMA)}}


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a ledger of its own in each region."""
    return deployment_on_moto()


@pytest.fixture
def dynamodb(deployment: Deployment) -> Any:
    """DynamoDB of the primary."""
    return deployment.clients.client("dynamodb", PRIMARY)


def restorer(deployment: Deployment) -> Restorer:
    """One that wants good settings."""
    return Restorer(deployment, PRIMARY, GOOD_SETTINGS, within_s=1)


class TestSettings:
    """Field by field."""

    def test_a_restored_table_gets_back_what_it_lacks_and_no_more(
        self, deployment: Deployment, dynamodb: Any
    ) -> None:
        """The second time there is nothing to do."""
        dynamodb.create_table(**table_definition(ALERTS, "restored"))
        found = read_settings(deployment.clients, PRIMARY, "restored")
        wanted = replace(
            found,
            ttl="expires_at",
            pitr=True,
            stream="NEW_IMAGE",
            tags={"Owner": "us"},
            deletion_protection=True,
        )
        assert {one.code for one in differences(wanted, found, table="restored")} == {
            "setting-ttl",
            "setting-pitr",
            "setting-stream",
            "setting-tags",
            "setting-deletion-protection",
        }
        done = reapply(deployment.clients, PRIMARY, "restored", wanted)
        assert done == ["tags", "stream", "ttl", "pitr", "deletion protection"]
        found = read_settings(deployment.clients, PRIMARY, "restored")
        assert differences(wanted, found, table="restored") == []
        assert reapply(deployment.clients, PRIMARY, "restored", wanted) == []

    def test_an_alarm_on_the_source_is_made_for_the_restored_table(
        self, deployment: Deployment, dynamodb: Any
    ) -> None:
        """Under a name with the new table's in it."""
        cloudwatch = deployment.clients.client("cloudwatch", PRIMARY)
        cloudwatch.put_metric_alarm(
            AlarmName="alerts-throttled",
            MetricName="ThrottledRequests",
            Namespace="AWS/DynamoDB",
            Dimensions=[{"Name": "TableName", "Value": "alerts"}],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        dynamodb.create_table(**table_definition(ALERTS, "restored"))
        wanted = read_settings(deployment.clients, PRIMARY, "alerts")
        assert "alarm {table}-throttled" in reapply(deployment.clients, PRIMARY, "restored", wanted)
        assert read_settings(deployment.clients, PRIMARY, "restored").alarms == wanted.alarms
        named = {alarm["AlarmName"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]}
        assert named == {"alerts-throttled", "restored-throttled"}

    def test_autoscaling_of_the_source_is_set_up_for_the_restored_table(
        self, deployment: Deployment, dynamodb: Any
    ) -> None:
        """Limits and target."""
        for table in ("source", "restored"):
            definition = table_definition(ALERTS, table) | {"BillingMode": "PROVISIONED"}
            capacity = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
            indexes = [
                index | {"ProvisionedThroughput": capacity} for index in definition["GlobalSecondaryIndexes"]
            ]
            dynamodb.create_table(
                **(definition | {"GlobalSecondaryIndexes": indexes, "ProvisionedThroughput": capacity})
            )
        scaling = deployment.clients.client("application-autoscaling", PRIMARY)
        ids = {
            "ServiceNamespace": "dynamodb",
            "ResourceId": "table/source",
            "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
        }
        scaling.register_scalable_target(**ids, MinCapacity=5, MaxCapacity=50)
        scaling.put_scaling_policy(
            **ids,
            PolicyName="writes",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 70.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
            },
        )
        wanted = read_settings(deployment.clients, PRIMARY, "source")
        assert reapply(deployment.clients, PRIMARY, "restored", wanted) == [
            "autoscaling dynamodb:table:WriteCapacityUnits"
        ]
        found = read_settings(deployment.clients, PRIMARY, "restored")
        assert differences(wanted, found, table="restored") == []

    def test_the_program_says_what_a_lost_ledger_had(self) -> None:
        """A strong one has no TTL, and no stream, since it replicates without."""
        raw = {
            "primaryRegion": "us-east-1",
            "failoverRegion": "us-west-2",
            "witnessRegion": "us-east-2",
        }
        strong = settings_of(ALERTS, StackConfig.parse(stack="dev", raw=raw), "us-west-2", {"Owner": "us"})
        assert (strong.consistency, strong.ttl, strong.replicas) == ("STRONG", "", ("us-east-1",))
        assert strong.stream == ""
        raw |= {"ledgerConsistency": "eventual", "witnessRegion": ""}
        eventual = settings_of(ALERTS, StackConfig.parse(stack="dev", raw=raw), "us-east-1", {})
        assert (eventual.consistency, eventual.ttl) == ("EVENTUAL", "expires_at")
        assert eventual.stream == "NEW_AND_OLD_IMAGES"
        assert eventual.indexes["timestamp-index"] == "severity S, timestamp N: ALL"

    def test_a_strong_table_is_restored_as_an_eventual_one(self) -> None:
        """With the stream by which its replicas get what is written; alone it has none, like its source."""
        raw = {"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"}
        strong = settings_of(ALERTS, StackConfig.parse(stack="dev", raw=raw), "us-west-2", {})
        for replicas, stream in ((strong.replicas, "NEW_AND_OLD_IMAGES"), ((), "")):
            found = as_restored(replace(strong, replicas=replicas))
            assert (found.consistency, found.replicas, found.stream) == ("EVENTUAL", replicas, stream)

    def test_a_table_that_is_not_there_has_unknown_settings(self, deployment: Deployment) -> None:
        """And not none."""
        with pytest.raises(SettingsUnknownError, match="unknown"):
            read_settings(deployment.clients, PRIMARY, "not-there")


class TestRefusals:
    """Nothing is written where anything could be harmed."""

    @pytest.mark.parametrize("target", ["alerts", "other"])
    def test_a_restore_goes_into_a_new_table_only(
        self, deployment: Deployment, dynamodb: Any, target: str
    ) -> None:
        """Neither into the live one nor into any that is there."""
        dynamodb.create_table(**table_definition(ALERTS, "other"))
        one = restorer(deployment)
        with pytest.raises(RestoreRefusedError, match=f"{target} .*new table"):
            one.to_time(NOW, target=target)
        with pytest.raises(RestoreRefusedError, match=f"{target} .*new table"):
            one.from_backup(None, target=target, role_arn="arn:aws:iam::1:role/x")

    @pytest.mark.parametrize("seconds", [-3_600, 3_600])
    def test_a_time_outside_of_the_window_is_refused(
        self, deployment: Deployment, dynamodb: Any, seconds: int
    ) -> None:
        """The message has the window."""
        with pytest.raises(RestoreRefusedError, match="is off"):
            restorer(deployment).to_time(datetime.now(UTC), target="restored")
        dynamodb.update_continuous_backups(
            TableName="alerts", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with pytest.raises(RestoreRefusedError, match="can be restored to a time from"):
            restorer(deployment).to_time(at, target="restored")
        assert "restored" not in dynamodb.list_tables()["TableNames"]

    def test_a_table_of_the_stack_is_never_removed(self, deployment: Deployment, dynamodb: Any) -> None:
        """One that is gone is no error."""
        with pytest.raises(RestoreRefusedError):
            remove_restored(deployment, PRIMARY, "alerts")
        remove_restored(deployment, PRIMARY, "not-there")
        dynamodb.create_table(**table_definition(ALERTS, "restored"), DeletionProtectionEnabled=True)
        remove_restored(deployment, PRIMARY, "restored")
        assert "restored" not in dynamodb.list_tables()["TableNames"]

    def test_each_restored_table_has_a_name_of_its_own(self, deployment: Deployment) -> None:
        """By the time."""
        name = "mcp-incident-responder-dev-alerts-restored-20261123T120000"
        assert new_table_name(deployment, NOW) == name

    @pytest.mark.parametrize(
        ("status", "age", "reason"), [("IN_PROGRESS", 0, "not COMPLETED"), (COMPLETED, 2, "more than")]
    )
    def test_an_export_that_is_not_finished_or_too_old_is_refused(
        self, status: str, age: int, reason: str
    ) -> None:
        """A good one of the right age passes."""
        info = ExportInfo(
            arn=f"{TABLE_ARN}/export/1",
            status=status,
            type="FULL_EXPORT",
            table_arn=TABLE_ARN,
            bucket="b",
            prefix="p",
            since=None,
            shows=NOW - timedelta(hours=age),
            items=1,
            reason="",
        )
        with pytest.raises(ExportRefusedError, match=reason):
            usable(info, max_age=timedelta(hours=1), now=NOW)
        good = replace(info, status=COMPLETED, shows=NOW)
        assert usable(good, max_age=timedelta(hours=1), now=NOW) is good

    def test_exports_of_a_lost_region_are_unknown(self, deployment: Deployment) -> None:
        """Unknown is not none."""
        clients = deployment.clients
        assert isinstance(clients, LossyClients)
        clients.lost = {PRIMARY}
        with pytest.raises((ExportsUnknownError, EndpointConnectionError)):
            export_age_s(deployment, PRIMARY, 0)
        with pytest.raises(ExportRefusedError, match="us-west-2"):
            start_export(deployment, "eu-west-1", now=NOW)
        assert FAILOVER == "us-west-2"


class Breaking:
    """DynamoDB that takes so many items and then does not answer."""

    def __init__(self, dynamodb: Any, puts: int) -> None:
        """`puts` are left."""
        self._dynamodb = dynamodb
        self.puts = puts

    def put_item(self, **request: Any) -> Any:
        """As DynamoDB, while it lasts."""
        self.puts -= 1
        if self.puts < 0:
            raise EndpointConnectionError(endpoint_url="dynamodb")
        return self._dynamodb.put_item(**request)


class TestCopies:
    """A state's items into an empty table."""

    def test_an_interrupted_copy_goes_on_where_it_was(self, dynamodb: Any, tmp_path: Path) -> None:
        """And never writes an item twice."""
        for number in range(120):
            dynamodb.put_item(
                TableName="alerts", Item={"alert_id": {"S": f"a{number:04}"}, **OUR_SCHEMA, "b": {"B": b"\0"}}
            )
        side = spool_table(dynamodb, "alerts", tmp_path / "rows")
        dynamodb.create_table(**table_definition(ALERTS, "copied"))
        note = tmp_path / "progress.json"
        with pytest.raises(TableUnwritableError, match="run it again"):
            copy_items(side, dynamodb=Breaking(dynamodb, 80), table="copied", key=KEY, progress_file=note)
        done: list[int] = []
        rest = Breaking(dynamodb, 70)
        rest_of = _WithReads(rest, dynamodb)
        found = copy_items(
            side,
            dynamodb=rest_of,
            table="copied",
            key=KEY,
            progress_file=note,
            progress=lambda count, _: done.append(count),
        )
        assert rest.puts == 0
        assert (found.written + found.already, found.conflicting) == (120, ())
        assert done[0] == 50
        copied = spool_table(dynamodb, "copied", tmp_path / "copied")
        assert compare(side, copied, key=KEY).same

    def test_another_item_under_the_same_key_is_named_and_left_alone(
        self, dynamodb: Any, tmp_path: Path
    ) -> None:
        """The same one is counted."""
        for key in ("a", "b"):
            dynamodb.put_item(
                TableName="alerts", Item={"alert_id": {"S": key}, **OUR_SCHEMA, "n": {"N": "1"}}
            )
        side = spool_table(dynamodb, "alerts", tmp_path / "rows")
        dynamodb.create_table(**table_definition(ALERTS, "copied"))
        for key, number in (("a", "1.0"), ("b", "2")):
            dynamodb.put_item(
                TableName="copied", Item={"alert_id": {"S": key}, **OUR_SCHEMA, "n": {"N": number}}
            )
        note = tmp_path / "progress.json"
        found = copy_items(side, dynamodb=dynamodb, table="copied", key=KEY, progress_file=note)
        assert (found.written, found.already, found.conflicting) == (0, 1, ("b",))
        assert dynamodb.get_item(TableName="copied", Key={"alert_id": {"S": "b"}})["Item"]["n"] == {"N": "2"}

    @pytest.mark.parametrize("schema", [{}, {"schema": {"N": "0"}}, {"schema": {"N": "2"}}])
    def test_a_table_with_a_row_of_another_schema_is_no_state(
        self, deployment: Deployment, dynamodb: Any, tmp_path: Path, schema: dict[str, Any]
    ) -> None:
        """So it is neither compared nor copied from; one whose rows are all ours is."""
        for key in ("a", "b"):
            dynamodb.put_item(TableName="alerts", Item={"alert_id": {"S": key}, **OUR_SCHEMA})
        assert state(deployment, PRIMARY, "live", tmp_path / "good").label == "table alerts"
        dynamodb.put_item(TableName="alerts", Item={"alert_id": {"S": "c"}, **schema})
        with pytest.raises(OtherSchemaError, match=r"alerts: .*schema [02] ?.*reads 1: use the release"):
            state(deployment, PRIMARY, "live", tmp_path / "bad")

    @pytest.mark.parametrize("text", ["{}", "not json", '{"table": "other", "source": "x"}'])
    def test_a_progress_file_of_something_else_is_refused(
        self, dynamodb: Any, tmp_path: Path, text: str
    ) -> None:
        """Before anything is written."""
        note = tmp_path / "progress.json"
        note.write_text(text, encoding="utf-8")
        side = spool_table(dynamodb, "alerts", tmp_path / "rows")
        with pytest.raises(TableUnwritableError, match="remove"):
            copy_items(side, dynamodb=dynamodb, table="copied", key=KEY, progress_file=note)


class _WithReads:
    """Puts go through one, reads to the other."""

    def __init__(self, puts: Breaking, reads: Any) -> None:
        self.put_item = puts.put_item
        self.get_item = reads.get_item


def test_good_settings_are_settings() -> None:
    """The planted faults start from them."""
    assert isinstance(GOOD_SETTINGS, Settings)
