"""What a restore waits for, and which errors of AWS end that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.deployment import Deployment
from dr.comparison.states import TableUnreadableError
from dr.exports.planted import GOOD_SETTINGS
from dr.exports.row_schema import OtherSchemaError
from dr.restores.calls import RegionalAws, RestoreFailedError, RestoreRefusedError
from dr.restores.preconditions import permit_resume
from dr.restores.repair import plan_repair
from dr.restores.restore import Restorer
from dr.restores.table_definition import table_definition
from tests.fakes.aws_refusals import Refusals, refusal
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import MotoClients
from topology.alerts import SCHEMA, SCHEMA_ATTRIBUTE
from topology.tables import ALERTS

TARGET = "mcp-incident-responder-dev-alerts-restored-1"
AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
ARN = f"arn:aws:dynamodb:{PRIMARY}:123456789012:table/{TARGET}"


@dataclass
class FakeBackup:
    """AWS Backup with restore jobs, each as successive calls show it; the last answer stays."""

    jobs: Mapping[str, list[Mapping[str, Any] | Exception]]

    def list_restore_jobs(self, *, ByResourceType: str, NextToken: str = "0") -> Mapping[str, Any]:  # noqa: N803 - boto3's names
        """One job a page."""
        assert ByResourceType == "DynamoDB"
        number = int(NextToken)
        job_id, states = list(self.jobs.items())[number]
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.jobs) else {}
        return {"RestoreJobs": [{"RestoreJobId": job_id, **self._now(states)}], **more}

    def describe_restore_job(self, *, RestoreJobId: str) -> Mapping[str, Any]:  # noqa: N803 - as above
        """The next state, or what was to be raised."""
        return {"RestoreJobId": RestoreJobId, **self._now(self.jobs[RestoreJobId])}

    def _now(self, states: list[Mapping[str, Any] | Exception]) -> Mapping[str, Any]:
        found = states.pop(0) if len(states) > 1 else states[0]
        if isinstance(found, Exception):
            raise found
        return found


class WithoutImports:
    """DynamoDB that nothing was imported into; moto knows no imports."""

    def __init__(self, dynamodb: Any) -> None:
        """Every other call is moto's."""
        self._dynamodb = dynamodb

    def __getattr__(self, name: str) -> Any:
        """The call."""
        return getattr(self._dynamodb, name)

    def list_imports(self, **_: Any) -> Mapping[str, Any]:
        """None."""
        return {"ImportSummaryList": []}


class WithBackup(MotoClients):
    """Moto, and a fake AWS Backup."""

    def __init__(self, backup: FakeBackup, over: Callable[[Any], Any] = WithoutImports) -> None:
        """`over` is put over DynamoDB."""
        super().__init__()
        self._backup, self._over = backup, over

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        if service == "backup":
            return self._backup
        found = super().client(service, region)
        return self._over(found) if service == "dynamodb" else found


@pytest.fixture
def deployment(aws: None) -> Deployment:  # noqa: ARG001 - moto must run
    """A stack with a ledger of its own in each region."""
    return deployment_on_moto()


def asked(deployment: Deployment, *jobs: list[Mapping[str, Any] | Exception], within_s: float = 20) -> bool:
    """Whether those jobs come to have restored the target."""
    backup = FakeBackup({f"job{number}": job for number, job in enumerate(jobs)})
    stack = replace(deployment, clients=WithBackup(backup))
    return RegionalAws(stack, PRIMARY, lambda _: None, within_s).backup_restored(TARGET)


RUNNING = {"Status": "RUNNING"}
COMPLETED = {"Status": "COMPLETED", "CreatedResourceArn": ARN}
ANOTHERS = {"Status": "COMPLETED", "CreatedResourceArn": f"{ARN}2"}


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_restore_job_that_goes_on_is_waited_for(deployment: Deployment, status: str) -> None:
    """AWS names its table when it is there."""
    assert asked(deployment, [ANOTHERS], [{"Status": status}, RUNNING, COMPLETED])


def test_a_restore_job_of_another_table_is_not_waited_for(deployment: Deployment) -> None:
    """Nor taken for this one's."""
    assert not asked(deployment, [{"Status": "RUNNING", "CreatedResourceArn": f"{ARN}2"}], within_s=0)


def test_what_goes_on_is_resumed_without_being_waited_for_first(deployment: Deployment) -> None:
    """A dry run takes seconds; with neither a table nor such a job there is nothing to resume."""

    def permitted(*jobs: Mapping[str, Any]) -> None:
        backup = FakeBackup({f"job{number}": [job] for number, job in enumerate(jobs)})
        stack = replace(deployment, clients=WithBackup(backup))
        permit_resume(RegionalAws(stack, PRIMARY, lambda _: None, 0), TARGET)

    permitted(ANOTHERS, RUNNING)
    with pytest.raises(RestoreRefusedError, match="begin its restore anew"):
        permitted(ANOTHERS, {"Status": "FAILED"})


def test_a_restore_job_that_failed_restored_nothing(deployment: Deployment) -> None:
    """Whatever it had begun to make."""
    assert not asked(deployment, [RUNNING, {"Status": "FAILED", "CreatedResourceArn": ARN}])


def test_a_wait_outlives_what_aws_is_too_busy_for(deployment: Deployment) -> None:
    """Six hours are not ended by one second."""
    busy = [refusal("ThrottlingException"), refusal("InternalError", status=503)]
    assert asked(deployment, [RUNNING, *busy, COMPLETED])


def test_a_wait_ends_at_its_deadline_by_saying_how_to_go_on(deployment: Deployment) -> None:
    """And what was seen last."""
    with pytest.raises(RestoreFailedError, match=r"ThrottlingException.*; go on with --resume"):
        asked(deployment, [RUNNING, refusal("ThrottlingException")], within_s=0)


def test_a_wait_ends_at_once_by_what_stays_refused(deployment: Deployment) -> None:
    """A person has to change it."""
    with pytest.raises(RestoreFailedError, match="AccessDenied"):
        asked(deployment, [RUNNING, refusal("AccessDeniedException")])


def test_a_restore_whose_table_is_not_there_yet_is_gone_on_with(deployment: Deployment) -> None:
    """A job that waits for its turn has made none."""
    backup = FakeBackup({"job": [RUNNING, RUNNING, COMPLETED]})
    stack = replace(deployment, clients=WithBackup(backup))
    told: list[str] = []

    def made(step: str) -> None:
        told.append(step)
        if len(told) == 1:
            stack.clients.client("dynamodb", PRIMARY).create_table(**table_definition(ALERTS, TARGET))

    wanted = replace(GOOD_SETTINGS, replicas=(), tags={}, deletion_protection=False)
    assert Restorer(stack, PRIMARY, wanted, made, within_s=20).resume(TARGET).table == TARGET
    assert "job" in told[0]
    with pytest.raises(RestoreRefusedError, match="begin its restore anew"):
        Restorer(stack, PRIMARY, wanted, within_s=20).resume("not-there")


def test_a_restored_table_of_another_schema_is_not_to_be_used(deployment: Deployment) -> None:
    """What a backup holds is known once it is restored."""
    backup = FakeBackup({"job": [COMPLETED]})
    stack = replace(deployment, clients=WithBackup(backup))
    dynamodb = stack.clients.client("dynamodb", PRIMARY)
    dynamodb.create_table(**table_definition(ALERTS, TARGET))
    wanted = replace(GOOD_SETTINGS, replicas=(), tags={}, deletion_protection=False)
    dynamodb.put_item(TableName=TARGET, Item={"alert_id": {"S": "a1"}})
    with pytest.raises(OtherSchemaError, match=f"{TARGET} .*not to be used: .*schema 0 .*use the release"):
        Restorer(stack, PRIMARY, wanted, within_s=20).resume(TARGET)


def test_a_repair_whose_rows_cannot_be_read_is_one_line(deployment: Deployment, tmp_path: Path) -> None:
    """A throttled read of single rows says which table, and what to do."""
    dynamodb = deployment.clients.client("dynamodb", PRIMARY)
    dynamodb.create_table(**table_definition(ALERTS, TARGET))
    dynamodb.put_item(TableName=TARGET, Item={"alert_id": {"S": "a1"}, SCHEMA_ATTRIBUTE: {"N": str(SCHEMA)}})
    throttled = Refusals("batch_get_item", refusal("ProvisionedThroughputExceededException"))
    stack = replace(deployment, clients=WithBackup(FakeBackup({}), over=throttled))
    with pytest.raises(TableUnreadableError, match=f"{TARGET} cannot be read: .*plan the repair again"):
        plan_repair(stack, PRIMARY, TARGET, folder=tmp_path, now_s=0, as_of=AS_OF, vouched=True)
