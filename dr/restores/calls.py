"""AWS of one region, as a restore asks it: what is there, what can be restored, and when it is done."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment
from clients.waiting import POLLS_S, wait_for
from dr.exports.requests import endpoints_of
from dr.restores.settings import SettingsUnknownError, wait_active
from topology.errors import ExplainedError

LATEST_WITHIN_S: Final = 600
"""The latest restorable time is typically five minutes behind.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html"""

_FINISHED: Final = frozenset({"COMPLETED", "FAILED", "ABORTED", "CANCELLED"})

GO_ON: Final = "go on with --resume --target {} in place of its source, with a copy by the same --copy"
"""What a person does about a restore that AWS has begun."""

OnStep = Callable[[str], None]
"""Called with what is done next."""


class RestoreRefusedError(ExplainedError):
    """What was asked for would harm a table or cannot be; the message has the rule. Nothing was done."""


class RestoreFailedError(ExplainedError):
    """AWS did not restore it, or not in time; the new table, if there is one, is not to be used."""


@dataclass(frozen=True)
class RegionalAws:
    """What a restore asks of AWS in one region; each wait ends after `within_s`."""

    deployment: Deployment
    region: str
    on_step: OnStep
    within_s: float

    def call(self, service: str, action: str, **request: Any) -> dict[str, Any]:
        """Ask AWS; what it does not do is an error to show."""
        try:
            return self._ask(service, action, **request)
        except (BotoCoreError, ClientError) as error:
            raise RestoreFailedError(f"{service} in {self.region} does not do {action}: {error}") from error

    def describe(self, table: str) -> dict[str, Any] | None:
        """A table of the region; None if there is none."""
        dynamodb = self.deployment.clients.client("dynamodb", self.region)
        try:
            described: dict[str, Any] = dynamodb.describe_table(TableName=table)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise RestoreRefusedError(f"whether {table} is there is unknown: {error}") from error
        except BotoCoreError as error:
            raise RestoreRefusedError(f"{self.region} does not answer: {error}") from error
        return described

    def await_restorable(self, at: datetime) -> None:
        """Return once the live ledger can be restored to `at`."""
        table, told = self.deployment.alerts_table, False
        deadline = time.monotonic() + LATEST_WITHIN_S
        while (latest := self.restorable_to(at, may_come=time.monotonic() <= deadline)) < at:
            if not told:
                self.on_step(f"DynamoDB can restore {table} up to {when(latest)} yet; {when(at)} is awaited")
                told = True
            time.sleep(POLLS_S[0])

    def restorable_to(self, at: datetime, *, may_come: bool = True) -> datetime:
        """The latest time that the live ledger can be restored to; if that is before `at`, wait.

        Raises:
            RestoreRefusedError: it cannot be restored to `at`, or only later and not `may_come`.
        """
        table, region = self.deployment.alerts_table, self.region
        if self.describe(table) is None:
            raise RestoreRefusedError(
                f"{table} is not there in {region}, so no time of it can be restored: use --export, "
                "--copy or --backup, or the backup that DynamoDB keeps of a deleted table for 35 days"
            )
        window = self.call("dynamodb", "describe_continuous_backups", TableName=table)
        described = window["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        earliest: datetime | None = described.get("EarliestRestorableDateTime")
        latest: datetime | None = described.get("LatestRestorableDateTime")
        if described.get("PointInTimeRecoveryStatus") != "ENABLED" or earliest is None or latest is None:
            raise RestoreRefusedError(f"point-in-time recovery of {table} is off in {region}")
        if at < earliest or (at > latest and (at > datetime.now(UTC) or not may_come)):
            raise RestoreRefusedError(
                f"{table} can be restored to a time from {when(earliest)} to {when(latest)}, "
                f"not to {when(at)}"
            )
        return latest

    def await_import(self, arn: str, target: str) -> None:
        """Wait until an import has succeeded."""
        state = self._await_finished(
            lambda: self._ask("dynamodb", "describe_import", ImportArn=arn)["ImportTableDescription"],
            "ImportStatus",
            target,
        )
        if state["ImportStatus"] != "COMPLETED" or state.get("ErrorCount"):
            raise RestoreFailedError(
                f"the import into {target} is {state['ImportStatus']}, {state.get('ErrorCount', 0)} errors: "
                f"{state.get('FailureMessage', 'no reason given')}"
            )

    def backup_restored(self, target: str) -> bool:
        """Whether AWS Backup has restored a table of that name, once no job is under way that may yet.

        Of a job that goes on AWS need not name the table, so such a one is waited for, whatever it makes.
        https://docs.aws.amazon.com/aws-backup/latest/devguide/API_RestoreJobsListMember.html
        """
        over_first = sorted(self._restore_jobs(), key=lambda job: job["Status"] not in _FINISHED)
        return any(self._made(job, target) for job in over_first)

    def backup_under_way(self, target: str) -> bool:
        """Whether a job of AWS Backup goes on that may make a table of that name; see `backup_restored`."""
        name = f":table/{target}"
        return any(_goes_on(job, name) for job in self._restore_jobs())

    def await_restore_job(self, job: str, target: str) -> dict[str, Any]:
        """A restore job of AWS Backup, once it is over, well or not."""
        return self._await_finished(
            lambda: self._ask("backup", "describe_restore_job", RestoreJobId=job), "Status", target
        )

    def _restore_jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = []
        request: dict[str, Any] = {"ByResourceType": "DynamoDB"}
        while True:
            page = self.call("backup", "list_restore_jobs", **request)
            jobs += page["RestoreJobs"]
            if not page.get("NextToken"):
                return jobs
            request["NextToken"] = page["NextToken"]

    def _made(self, job: dict[str, Any], target: str) -> bool:
        name = f":table/{target}"
        if _goes_on(job, name):
            self.on_step(f"AWS Backup restores a table by job {job['RestoreJobId']}, which is waited for")
            job = self.await_restore_job(job["RestoreJobId"], target)
        return job["Status"] == "COMPLETED" and str(job.get("CreatedResourceArn", "")).endswith(name)

    def recovery_point(self, wanted: str | None) -> str:
        """The ARN of a completed recovery point of the ledger: the wanted one, by default the newest."""
        vault = endpoints_of(self.deployment, self.region).backup_vault
        points = self.call("backup", "list_recovery_points_by_backup_vault", BackupVaultName=vault)
        completed = [
            point
            for point in points["RecoveryPoints"]
            if point["Status"] == "COMPLETED"
            and point["ResourceArn"].endswith(f"table/{self.deployment.alerts_table}")
        ]
        if wanted is not None:
            completed = [point for point in completed if point["RecoveryPointArn"] == wanted]
        if not completed:
            raise RestoreRefusedError(
                f"the vault {vault} in {self.region} has no completed recovery point "
                f"{wanted or f'of {self.deployment.alerts_table}'}"
            )
        return str(max(completed, key=lambda point: point["CreationDate"])["RecoveryPointArn"])

    def await_active(self, target: str) -> None:
        """Wait until a table and its replicas are ACTIVE."""
        try:
            wait_active(
                self.deployment.clients.client("dynamodb", self.region), target, within_s=self.within_s
            )
        except (BotoCoreError, ClientError, SettingsUnknownError) as error:
            raise RestoreFailedError(f"{target} does not come up: {error}; {GO_ON.format(target)}") from error

    def _await_finished(self, ask: Callable[[], dict[str, Any]], state: str, target: str) -> dict[str, Any]:
        """What `ask` answers once its attribute `state` says that it is over, well or not."""
        go_on = GO_ON.format(target)
        try:
            answer = wait_for(
                ask, lambda description: description[state] in _FINISHED, within_s=self.within_s
            )
        except (BotoCoreError, ClientError) as error:
            raise RestoreFailedError(f"how {target} gets on is unknown: {error}; {go_on}") from error
        if answer[state] not in _FINISHED:
            raise RestoreFailedError(f"it is still {answer[state]} after {self.within_s:.0f} s; {go_on}")
        return answer

    def _ask(self, service: str, action: str, **request: Any) -> dict[str, Any]:
        client = self.deployment.clients.client(service, self.region)
        return dict(getattr(client, action)(**request))


def _goes_on(job: dict[str, Any], name: str) -> bool:
    """Whether a restore job may yet make the table whose ARN ends so."""
    return job["Status"] not in _FINISHED and str(job.get("CreatedResourceArn", name)).endswith(name)


def when(at: datetime) -> str:
    """A time as people are shown it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")
