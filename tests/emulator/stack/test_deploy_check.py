"""`responder deploy check` on a deployed stack: healthy, and with one fault planted at a time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from clients.checks import Finding, State, run_checks
from deploy.checks.catalogue import deploy_checks
from deploy.checks.subject import Subject
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from ops.local.running import local_config
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
UNSEEN = {"ledger-replica", "backup-opt-in", "backup-job", "api-log-role"}
"""What the embedded AWS does not say: how consistent a table is, and what belongs to an account."""


def look(stack: LocalStack, id_: str, **config: Any) -> dict[str, Finding]:
    """What one check finds, by region."""
    subject = Subject(stack.deployment, replace(local_config(), **config))
    chosen = [check for check in deploy_checks(subject) if check.id == id_]
    return {one.region: one.finding for one in run_checks(chosen)}


def test_a_stack_that_was_just_deployed_is_fine(responder: Responder, stack: LocalStack) -> None:
    """Exit 0; what cannot be seen here is unknown and counted, and fails a strict run only."""
    done = responder("deploy", "check", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(done.stdout)
    states = {(row["id"], row["region"]): row["state"] for row in content["checks"]}
    assert {id_ for (id_, _), state in states.items() if state == "unknown"} == UNSEEN
    assert {id_ for (id_, _), state in states.items() if state == "failed"} == set()
    regions = {e.region for e in stack.deployment.regions}
    assert {region for _, region in states} == {*regions, local_config().witness_region}
    assert responder("deploy", "check", "--strict", "--only", "backup-opt-in").returncode == 1
    assert responder("deploy", "check", "--strict", "--only", "secrets").returncode == 0


def test_an_injected_alert_reaches_slack_from_both_regions(responder: Responder, emulator: Emulator) -> None:
    """And Slack really has it."""
    done = responder("deploy", "check", "--inject", "--only", "webhooks", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [row for row in json.loads(done.stdout)["checks"] if row["category"] == "injection"]
    assert {row["region"] for row in rows} == {PRIMARY, FAILOVER}
    messages = emulator.slack_messages()
    posted = {alert_id for message in messages for alert_id in message.alert_ids}
    digests = [message.digests for message in messages if message.digests]
    for row in rows:
        assert {"answered", "notified", "pipeline"} <= row["figures_ms"].keys()
        assert row["reason"].partition(":")[0] in posted or digests


def test_wrong_use_is_said_and_the_checks_are_listed(responder: Responder) -> None:
    """Exit 2 for a check that is none; the list has what each needs."""
    wrong = responder("deploy", "check", "--only", "vault-lok")
    assert wrong.returncode == 2
    assert "vault-lok" in wrong.stderr
    listed = json.loads(responder("deploy", "check", "--list-checks", "--json").stdout)
    assert {"id": "vault-lock", "actions": ["backup:DescribeBackupVault"]}.items() <= {
        key: value for row in listed if row["id"] == "vault-lock" for key, value in row.items()
    }.items()


def test_a_region_that_is_cut_off_leaves_the_other_half(responder: Responder, whole: Emulator) -> None:
    """Exit 1, as its webhook does not answer; what else it would say is unknown."""
    whole.cut(FAILOVER)
    done = responder("deploy", "check", "--json")
    assert done.returncode == 1
    rows = json.loads(done.stdout)["checks"]
    lost = {row["id"]: row["state"] for row in rows if row["region"] == FAILOVER}
    assert lost.pop("webhook-health") == "failed"
    assert lost.pop("region-enabled") == "ok", "as another region says"
    assert set(lost.values()) == {"unknown"}
    here = {row["id"] for row in rows if row["region"] == PRIMARY and row["state"] != "ok"}
    assert here <= UNSEEN


def test_a_vault_without_its_lock_is_found(stack: LocalStack) -> None:
    """As a changed lock left it (A1); the other region's is well."""
    vault = stack.deployment.failover.backup_vault
    backup = stack.deployment.clients.client("backup", FAILOVER)
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    try:
        seen = look(stack, "vault-lock")
    finally:
        days = local_config().backup_lock_days
        backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=days)
    assert (seen[PRIMARY].state, seen[FAILOVER].state) == (State.OK, State.FAILED)
    assert "not locked" in seen[FAILOVER].reason
    assert look(stack, "vault-lock")[FAILOVER].state == State.OK


@contextmanager
def unlocked(stack: LocalStack, key: str) -> Iterator[None]:
    """Have an object's newest version be one without a lock, and after that one with a lock again."""
    bucket, s3 = stack.deployment.primary.backup_bucket, stack.deployment.clients.client("s3", PRIMARY)
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    again = {"Bucket": bucket, "Key": key, "CopySource": {"Bucket": bucket, "Key": key}}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    try:
        s3.copy_object(**again, MetadataDirective="REPLACE")
        yield
    finally:
        s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
        s3.copy_object(**again, MetadataDirective="REPLACE")


def test_an_object_without_its_lock_is_found(stack: LocalStack) -> None:
    """As a second `up` left it (A2)."""
    with unlocked(stack, "config/latest/stack.json"):
        seen = look(stack, "latest-locked")
    assert seen[PRIMARY].state == State.FAILED
    assert "config/latest/stack.json" in seen[PRIMARY].reason
    assert look(stack, "latest-locked")[PRIMARY].state == State.OK


def test_a_secret_without_a_value_is_found_in_both_regions(stack: LocalStack) -> None:
    """It is made by the program, its value by people."""
    name = stack.deployment.names.slack_bot_token_secret
    manager = stack.deployment.clients.client("secretsmanager", PRIMARY)
    assert look(stack, "secret-values", slack_channel="C0123456789")[PRIMARY].reason.startswith("there is no")
    manager.create_secret(Name=name)
    manager.replicate_secret_to_regions(SecretId=name, AddReplicaRegions=[{"Region": FAILOVER}])
    try:
        seen = look(stack, "secret-values", slack_channel="C0123456789")
    finally:
        manager.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert {region: finding.reason for region, finding in seen.items()} == dict.fromkeys(
        (PRIMARY, FAILOVER), f"{name} without a value"
    )


def test_tables_that_can_be_deleted_are_found_where_they_are_to_be_protected(stack: LocalStack) -> None:
    """The local stack has none, and no check of it; one that is configured as prod has to have it."""
    assert look(stack, "table-deletion-protection") == {}
    seen = look(stack, "table-deletion-protection", deletion_protection=True)
    assert {finding.state for finding in seen.values()} == {State.FAILED}
    assert stack.deployment.alerts_table in seen[PRIMARY].reason
    assert "second run" in seen[FAILOVER].hint
