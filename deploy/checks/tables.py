"""Tables: each replica refuses to be deleted, can be restored, and replicates as the stack is meant to."""

from typing import Any

from botocore.exceptions import ClientError

from clients.aws import is_absent
from clients.checks import Check, Finding, failed, ok, unknown
from deploy.checks.subject import Subject
from topology.config_keys import STRONG

_DESCRIBE = "dynamodb:DescribeTable"


def table_checks(subject: Subject) -> tuple[Check, ...]:
    """The checks of all tables of a stack; of their protection where `deletionProtection` is on."""
    checks = (
        subject.check(
            "table-recovery",
            "tables",
            "every table, and every replica, can be restored to a point in time",
            actions=("dynamodb:DescribeContinuousBackups",),
            run=_recovery,
        ),
        subject.check(
            "ledger-replica",
            "tables",
            "the ledger has its replica, its witness and its consistency",
            actions=(_DESCRIBE,),
            run=_replica,
        ),
    )
    if not subject.config.deletion_protection:
        return checks
    protection = subject.check(
        "table-deletion-protection",
        "tables",
        "every table, and every replica, refuses to be deleted",
        actions=(_DESCRIBE,),
        run=_deletion_protection,
    )
    return (protection, *checks)


def _deletion_protection(subject: Subject, region: str) -> Finding:
    lacking = []
    for table in subject.deployment.tables:
        described = _described(subject, region, table)
        if isinstance(described, Finding):
            return described
        if not described.get("DeletionProtectionEnabled"):
            lacking.append(table)
    if not lacking:
        return ok(f"{len(subject.deployment.tables)} tables refuse to be deleted")
    hint = f"run {subject.up} again"
    if region == subject.deployment.failover.region and subject.deployment.ledger_consistency == STRONG:
        # A4: the provider's create leaves it out on strong replicas, its update sets it.
        hint += ": the AWS provider protects a strong replica at the second run only"
    return failed(f"{', '.join(lacking)} can be deleted by anybody who may", hint)


def _recovery(subject: Subject, region: str) -> Finding:
    dynamodb, off = subject.client("dynamodb", region), []
    for table in subject.deployment.tables:
        try:
            answer = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
        except ClientError as error:
            if not is_absent(error):
                raise
            return _gone(subject, region, table)
        recovery = answer.get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            off.append(table)
    if off:
        return failed(f"{', '.join(off)}: point-in-time recovery is off", f"run {subject.up} again")
    return ok(f"point-in-time recovery is on for {len(subject.deployment.tables)} tables")


def _replica(subject: Subject, region: str) -> Finding:
    """A replica that is being made, or was lost, has another status than ACTIVE.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ReplicaDescription.html
    """
    table = _described(subject, region, subject.deployment.alerts_table)
    if isinstance(table, Finding):
        return table
    other = next(one for one in subject.regions if one != region)
    replicas = {one["RegionName"]: one.get("ReplicaStatus", "ACTIVE") for one in table.get("Replicas", ())}
    if replicas.get(other) != "ACTIVE":
        seen = f"is {replicas[other]}" if other in replicas else "is not there"
        hint = f"wait until it is ACTIVE, or run {subject.up}; alerts are in one region until then"
        return failed(f"the replica in {other} {seen}", hint)
    wanted, consistency = subject.deployment.ledger_consistency.upper(), table.get("MultiRegionConsistency")
    if consistency is None:
        return unknown(f"the replica in {other} is ACTIVE, but DynamoDB does not say how consistent it is")
    if consistency != wanted:
        hint = "only a new, empty table can be made so: docs/disaster-recovery.md, `dr restore --copy`"
        return failed(f"the ledger is {consistency}, the stack was deployed as {wanted}", hint)
    witnesses = {one["RegionName"]: one["WitnessStatus"] for one in table.get("GlobalTableWitnesses", ())}
    witness = subject.config.witness_region
    if consistency == STRONG.upper() and witnesses.get(witness) != "ACTIVE":
        hint = "without it the ledger outlives no lost region: look at the table in the console"
        return failed(f"the witness in {witness} is {witnesses.get(witness, 'not there')}", hint)
    return ok(f"{consistency}, the replica in {other} is ACTIVE")


def _described(subject: Subject, region: str, table: str) -> dict[str, Any] | Finding:
    try:
        described: dict[str, Any] = subject.client("dynamodb", region).describe_table(TableName=table)[
            "Table"
        ]
    except ClientError as error:
        if not is_absent(error):
            raise
        return _gone(subject, region, table)
    return described


def _gone(subject: Subject, region: str, table: str) -> Finding:
    hint = f"check that the credentials are of the stack's account, then run {subject.up}"
    return failed(f"there is no table {table} in {region}", hint)
