"""The steps of a trial, in their order: each looks at AWS by its API, so it is the same wherever it runs."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.deployment import Deployment, RegionEndpoints
from clients.waiting import wait_for
from components.backups.state_machines import LATEST_KEYS
from components.ledger_home import REFUSAL
from deploy.trial.deployer import Changes, Deployer
from dr.exports.requests import start_export, table_arn, wait_export
from dr.operations.environment import ACCEPTED, Web
from dr.operations.rows import read_rows
from topology.alerts import Severity
from topology.errors import ExplainedError
from topology.protection import IRREPLACEABLE

STRONG_TABLES: Final = 2
_LONGER_DAYS: Final = 2
"""What the vaults' lock is changed to; a trial begins with one day."""

JOB_WITHIN_S: Final = 900.0
EXPORT_WITHIN_S: Final = 1_200.0
_OVER: Final = frozenset({"ABORTED", "COMPLETED", "EXPIRED", "FAILED", "PARTIAL"})
"""https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupJob.html"""

_Look = TypeVar("_Look")

_ENGINE: Final = "the in-process engine stands in for Pulumi and its AWS provider"
_SERVICE: Final = "the embedded AWS stands in for the service"


@dataclass(frozen=True)
class Seen:
    """What a step saw, and whether its claim held by that."""

    evidence: str
    held: bool = False


class UnseenError(ExplainedError):
    """What a claim is about was not seen, so it is not settled."""


@dataclass(frozen=True)
class Up:
    """What an `up` did, and how the newest backups and the replicas stood after it.

    `None` is what was not seen: of an `up` that failed, all; else what AWS refused to show.
    """

    changes: Changes | None = None
    locks: Mapping[str, str] | None = None
    unprotected: tuple[str, ...] | None = None


@dataclass
class Trial:
    """What the steps share. `left_s`: seconds that steps still have. `ups`: every `up` that was begun."""

    deployer: Deployer
    web: Web
    left_s: Callable[[], float]
    ups: list[Up] = field(default_factory=list)

    @property
    def deployment(self) -> Deployment:
        """The stack."""
        return self.deployer.deployment()

    def up(self, config: Mapping[str, str] | None = None) -> Changes:
        """Deploy, and note what that did, and how replicas and the newest backups stand after it."""
        self.ups.append(Up())
        changes = self.deployer.up(config or {}, within_s=self.left_s())
        self.ups[-1] = Up(changes, self._look(_locks), self._look(lambda stack: tuple(_unprotected(stack))))
        return changes

    def _look(self, at: Callable[[Deployment], _Look]) -> _Look | None:
        try:
            return at(self.deployment)
        except (BotoCoreError, ClientError, ExplainedError):
            return None

    def client(self, service: str, endpoints: RegionEndpoints) -> Any:
        """A boto3 client of one of the stack's regions."""
        return self.deployment.clients.client(service, endpoints.region)


@dataclass(frozen=True)
class Step:
    """One claim. `stands_in`: why the embedded AWS cannot settle it; empty if it can."""

    id: str
    claim: str
    run: Callable[[Trial], Seen]
    stands_in: str = ""


def _first_up(trial: Trial) -> Seen:
    changes = trial.up()
    return Seen(str(changes), changes.created > 0)


def _strong_writes(trial: Trial) -> Seen:
    """The same alert to one region and then to the other: whose write comes second has to see the first."""
    body = {
        "source": "responder-deploy-prove",
        "event_id": secrets.token_hex(8),
        "title": "The ledger is written from both regions",
        "message": "A trial of the stack; nothing is to be done.",
        "severity": Severity.LOW,
    }
    receipts = []
    for number, endpoints in enumerate(trial.deployment.regions):
        key = trial.deployment.api_key(endpoints)
        # Another message: the same bytes would be a sender's retry, which is answered with the first row.
        again = body | {"message": f"{body['message']} ({number})"}
        answer = trial.web.post(endpoints.webhook_url, again, api_key=key)
        if answer is None or answer.status != ACCEPTED:
            return Seen(f"{endpoints.region} answers {answer.status if answer else 'nothing'}")
        receipts.append(answer.body["alerts"][0])
    first, second = receipts
    seen = {
        endpoints.region: set(
            read_rows(
                trial.deployment,
                endpoints.region,
                [first["alert_id"], second["alert_id"]],
                attributes=["status"],
            )
        )
        for endpoints in trial.deployment.regions
    }
    complete = [region for region, rows in seen.items() if rows == {first["alert_id"], second["alert_id"]}]
    repeat = second["status"] == "SUPPRESSED" and second.get("parent_id") == first["alert_id"]
    evidence = f"the second post is {second['status']}; both rows in {' and '.join(complete) or 'no region'}"
    return Seen(evidence, repeat and len(complete) == len(seen))


def _second_up(trial: Trial) -> Seen:
    """Only the protection of the strong tables' replicas may be left to do (A4)."""
    changes = trial.up()
    held = changes.updated <= STRONG_TABLES and changes == Changes(updated=changes.updated)
    return Seen(str(changes), held)


def _third_up(trial: Trial) -> Seen:
    changes = trial.up()
    return Seen(str(changes), changes.none)


def _replicas_protected(trial: Trial) -> Seen:
    first, second, *_ = (*(up.unprotected for up in trial.ups), None, None)
    if second is None:
        raise UnseenError("the replicas were not seen after the second up")
    before = "not seen" if first is None else ", ".join(first) or "none"
    after = ", ".join(second) or "none"
    return Seen(f"unprotected after the first up: {before}; after the second: {after}", not second)


def _latest_stay_locked(trial: Trial) -> Seen:
    first, *later = (up.locks for up in trial.ups)
    if first is None:
        raise UnseenError("the locks were not seen after the first up")
    seen = [locks for locks in later if locks is not None]
    changed = sorted({key for locks in seen for key in LATEST_KEYS if locks.get(key) != first.get(key)})
    held = not changed and set(first) == set(LATEST_KEYS)
    if held and len(seen) < len(later):
        raise UnseenError("the locks were not seen after every up")
    return Seen(f"get-object-retention after {len(trial.ups)} ups: {', '.join(changed) or 'the same'}", held)


def _vault_stays_locked(trial: Trial) -> Seen:
    changes = trial.up({"backupLockDays": str(_LONGER_DAYS)})
    seen = []
    for endpoints in trial.deployment.regions:
        vault = trial.client("backup", endpoints).describe_backup_vault(
            BackupVaultName=endpoints.backup_vault
        )
        seen.append((endpoints.region, bool(vault.get("Locked")), vault.get("MinRetentionDays")))
    shown = ", ".join(f"{region} locked {locked} for {days} days" for region, locked, days in seen)
    held = all(locked and days == _LONGER_DAYS for _, locked, days in seen)
    return Seen(f"{changes}; {shown}", held)


def _keys_are_secret(trial: Trial) -> Seen:
    keys = {trial.deployment.api_key(endpoints) for endpoints in trial.deployment.regions}
    state = trial.deployer.state()
    plain = sum(key in state for key in keys)
    return Seen(f"{plain} of {len(keys)} API keys in plain text in the state", not plain)


def _ledger_is_guarded(trial: Trial) -> Seen:
    changes = {
        "another consistency": {"ledgerConsistency": "eventual", "witnessRegion": ""},
        "other regions": {"failoverRegion": "us-east-2", "witnessRegion": "us-west-2"},
    }
    refused = {
        name: trial.deployer.refusal(config, within_s=trial.left_s()) for name, config in changes.items()
    }
    passed = [name for name, why in refused.items() if REFUSAL not in why]
    return Seen(f"not refused: {', '.join(passed)}" if passed else "each is refused by name", not passed)


_MAY_BE_ABSENT: Final = frozenset({"aws:apigateway/domainName:DomainName"})
"""Only a stack with a domain has it."""


def _irreplaceable_is_protected(trial: Trial) -> Seen:
    protected = trial.deployer.protected()
    bare = [type_ for type_ in IRREPLACEABLE if not protected.get(type_, type_ in _MAY_BE_ABSENT)]
    return Seen(f"unprotected: {', '.join(bare) or 'none'}", not bare)


def _backup_role_is_enough(trial: Trial) -> Seen:
    """The job that the daily plan makes, now, by the plan's own role."""
    deployment, endpoints = trial.deployment, trial.deployment.primary
    backup, iam = trial.client("backup", endpoints), trial.client("iam", endpoints)
    role = iam.get_role(RoleName=deployment.names.service_role("backup", endpoints.region))["Role"]["Arn"]
    job = backup.start_backup_job(
        BackupVaultName=endpoints.backup_vault,
        ResourceArn=table_arn(deployment, endpoints.region),
        IamRoleArn=role,
        Lifecycle={"DeleteAfterDays": _LONGER_DAYS},
    )["BackupJobId"]
    done = wait_for(
        lambda: backup.describe_backup_job(BackupJobId=job),
        lambda answer: answer["State"] in _OVER,
        within_s=min(JOB_WITHIN_S, trial.left_s()),
    )
    return Seen(f"{done['State']} {done.get('StatusMessage', '')}".strip(), done["State"] == "COMPLETED")


def _export_is_taken(trial: Trial) -> Seen:
    """Into the bucket whose default retention refuses an upload without a checksum."""
    deployment, endpoints = trial.deployment, trial.deployment.primary
    arn = start_export(deployment, endpoints.region, now=datetime.now(UTC))
    info = wait_export(deployment, endpoints.region, arn, within_s=min(EXPORT_WITHIN_S, trial.left_s()))
    key = f"{info.root}/manifest-summary.json"
    lock = trial.client("s3", endpoints).get_object_retention(Bucket=info.bucket, Key=key)["Retention"]
    evidence = f"{info.status}, {info.items} items, the manifest is locked by {lock['Mode']}"
    return Seen(evidence, lock["Mode"] == "GOVERNANCE")


def _locks(deployment: Deployment) -> Mapping[str, str]:
    """The lock of each newest backup of the primary, as text; one without a lock is left out."""
    endpoints, locks = deployment.primary, {}
    s3 = deployment.clients.client("s3", endpoints.region)
    for key in LATEST_KEYS:
        try:
            retention = s3.get_object_retention(Bucket=endpoints.backup_bucket, Key=key)["Retention"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchObjectLockConfiguration":
                raise
        else:
            locks[key] = f"{retention.get('Mode')} {retention.get('RetainUntilDate')}"
    return locks


def _unprotected(deployment: Deployment) -> Iterator[str]:
    """Each replica that can be deleted, as `region table`."""
    for endpoints in deployment.regions:
        dynamodb = deployment.clients.client("dynamodb", endpoints.region)
        for table in deployment.tables:
            if not dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                yield f"{endpoints.region} {table}"


STEPS: Final = (
    Step("up", "`up` makes the whole stack from nothing", _first_up, _ENGINE),
    Step(
        "strong",
        "a write to a strong ledger in one region is seen by the other region's next write",
        _strong_writes,
        "its replicas are one table",
    ),
    Step("up-2", "a second `up` changes nothing but the protection of strong replicas", _second_up, _ENGINE),
    Step("up-3", "a third `up` changes nothing", _third_up, _ENGINE),
    Step("A4", "after the second `up` every replica refuses to be deleted", _replicas_protected, _ENGINE),
    Step("A2", "no `up` takes the lock off what a rebuild starts from", _latest_stay_locked, _ENGINE),
    Step("A1", "another `backupLockDays` leaves both vaults locked", _vault_stays_locked, _ENGINE),
    Step("A3", "no API key is in plain text in Pulumi's state", _keys_are_secret, _ENGINE),
    Step("A6", "whatever cannot be made again is protected", _irreplaceable_is_protected),
    Step("A7-role", "AWS Backup backs the ledger up by the program's role", _backup_role_is_enough, _SERVICE),
    Step(
        "A7-export", "DynamoDB exports into a bucket that locks what it is given", _export_is_taken, _SERVICE
    ),
    # The last: the embedded AWS has no preview, so what is not refused is done.
    Step("A5", "a deployed ledger's regions, witness and consistency cannot change", _ledger_is_guarded),
)
