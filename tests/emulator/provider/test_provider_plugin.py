"""The provider plugin on a running embedded AWS: what the engine of the Pulumi CLI makes of it is real."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from clients.aws import AwsClients
from emulator.client import Emulator
from emulator.errors import RefusedError
from emulator.pulumi.plugin.guard import BACKEND, EMULATOR, REHEARSAL, RUN_DIR, Guard
from emulator.pulumi.plugin.server import Provider
from emulator.pulumi.provider.existence import LOOKED_FOR
from tests.fakes.provider_engine import ProviderEngine, archive, secret, values

REGION = "us-east-1"
QUEUE = "aws:sqs/queue:Queue"
FUNCTION = "aws:lambda/function:Function"
ENDS_WITHIN_S = 30.0
UUID = "11111111-1111-4111-8111-111111111111"
ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    """What `responder local pulumi` starts the plugin with."""
    return {EMULATOR: emulator.edge_url, RUN_DIR: str(emulator.run_dir)}


@pytest.fixture
def engine(environment: dict[str, str]) -> Iterator[ProviderEngine]:
    """An engine that works on the embedded AWS."""
    with ProviderEngine(Provider(lambda: Guard.of(environment))) as running:
        yield running


def test_a_queue_lives_by_the_engines_calls(engine: ProviderEngine, emulator: Emulator) -> None:
    """Created, changed, looked for, missed after a deletion by hand, and deleted though it is gone."""
    sqs = AwsClients(emulator.edge_url).client("sqs", REGION)
    old = {"region": REGION, "name": "plugged", "visibilityTimeoutSeconds": 30}
    url, outputs = engine.create(QUEUE, old)
    assert outputs["url"] == url
    new = {**old, "visibilityTimeoutSeconds": 60}
    assert list(engine.diff(QUEUE, old, new, outputs=outputs).diffs) == ["visibilityTimeoutSeconds"]
    outputs = engine.update(QUEUE, url, old, outputs, new)
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert asked["Attributes"]["VisibilityTimeout"] == "60"
    found = engine.read(QUEUE, url, new, outputs)
    assert (found.id, values(found.inputs), values(found.properties)) == (url, new, outputs)
    sqs.delete_queue(QueueUrl=url)
    assert engine.read(QUEUE, url, new, outputs).id == ""
    engine.delete(QUEUE, url, new, outputs)


@pytest.mark.parametrize("type_", sorted(LOOKED_FOR))
def test_a_refresh_misses_what_does_not_exist(engine: ProviderEngine, emulator: Emulator, type_: str) -> None:
    """Each type that is looked for, by an id that nothing has."""
    arn = f"arn:aws:{{}}:{REGION}:000000000000:{{}}"
    ids = {
        "aws:lambda/eventSourceMapping:EventSourceMapping": UUID,
        "aws:route53/healthCheck:HealthCheck": UUID,
        "aws:sfn/stateMachine:StateMachine": arn.format("states", "stateMachine:none"),
        "aws:sns/topic:Topic": arn.format("sns", "none"),
        "aws:sns/topicSubscription:TopicSubscription": arn.format("sns", f"none:{UUID}"),
        QUEUE: f"{emulator.edge_url}/000000000000/none",
    }
    named = (
        "bucket",
        "functionName",
        "key",
        "httpMethod",
        "name",
        "resourceId",
        "restApi",
        "role",
        "stageName",
    )
    inputs = {"region": REGION, **dict.fromkeys(named, "none")}
    assert engine.read(type_, ids.get(type_, "none"), inputs, {}).id == ""


def test_a_refresh_misses_a_setting_that_somebody_took_off(
    engine: ProviderEngine, emulator: Emulator
) -> None:
    """A vault and a bucket are there with and without it: a lock that an update took off, for one."""
    clients = AwsClients(emulator.edge_url)
    backup, s3 = clients.client("backup", REGION), clients.client("s3", REGION)
    backup.create_backup_vault(BackupVaultName="unlocked")
    s3.create_bucket(Bucket="unset", ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket="unversioned")
    lock = {"region": REGION, "backupVaultName": "unlocked", "minRetentionDays": 1}
    retention = {
        "region": REGION,
        "bucket": "unset",
        "rule": {"defaultRetention": {"mode": "GOVERNANCE", "days": 1}},
    }
    versions = {"region": REGION, "bucket": "unset", "versioningConfiguration": {"status": "Enabled"}}
    blocked = {"region": REGION, "bucket": "unset", "blockPublicAcls": True}

    def unlock_bucket() -> None:
        s3.put_object_lock_configuration(
            Bucket="unset", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )

    taken_off: list[tuple[str, Mapping[str, Any], Callable[[], object]]] = [
        (
            "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
            lock,
            lambda: backup.delete_backup_vault_lock_configuration(BackupVaultName="unlocked"),
        ),
        ("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", retention, unlock_bucket),
        (
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            blocked,
            lambda: s3.delete_public_access_block(Bucket="unset"),
        ),
    ]
    for type_, inputs, take_off in taken_off:
        id_, outputs = engine.create(type_, inputs)
        assert engine.read(type_, id_, inputs, outputs).id == id_
        take_off()
        assert engine.read(type_, id_, inputs, outputs).id == "", type_
    type_ = "aws:s3/bucketVersioning:BucketVersioning"
    assert engine.read(type_, "unset", versions, {}).id == "unset"
    assert engine.read(type_, "unversioned", versions, {}).id == ""


def test_a_functions_code_is_sent_once(engine: ProviderEngine, emulator: Emulator, tmp_path: Path) -> None:
    """An update by an archive whose hash is the recorded one makes no version; another one does."""
    package = tmp_path / "code.zip"
    with zipfile.ZipFile(package, "w") as out:
        out.writestr("index.py", "def handler(event, context):\n    return 1\n")
    inputs = {
        "region": REGION,
        "name": "plugged",
        "role": ROLE,
        "handler": "index.handler",
        "runtime": "python3.13",
        "publish": True,
        "environment": {"variables": {"KEY": "value"}},
    }
    new = {**inputs, "code": archive("aa", package)}
    name, outputs = engine.create(FUNCTION, new)
    recorded = {**inputs, "code": archive("aa")}
    assert outputs["version"] == "1"
    assert engine.update(FUNCTION, name, recorded, outputs, new)["version"] == "1"
    changed = {**new, "code": archive("bb", package)}
    after = engine.update(FUNCTION, name, recorded, outputs, changed)
    assert after["version"] != "1"
    assert engine.read(FUNCTION, name, recorded, after).id == name
    engine.delete(FUNCTION, name, recorded, after)
    functions = AwsClients(emulator.edge_url).client("lambda", REGION).list_functions()["Functions"]
    assert name not in {function["FunctionName"] for function in functions}


def test_a_key_that_aws_makes_is_a_secret_output(engine: ProviderEngine) -> None:
    """The engine encrypts what comes wrapped."""
    type_, inputs = "aws:apigateway/apiKey:ApiKey", {"region": REGION, "name": "plugged"}
    id_, outputs = engine.create(type_, inputs)
    assert outputs["value"] == secret(outputs["value"]["value"])
    engine.delete(type_, id_, inputs, outputs)


def test_what_aws_refuses_is_not_recorded(engine: ProviderEngine) -> None:
    """The error names AWS's reason, and the engine takes it that nothing was made."""
    inputs = {"region": REGION, "name": "plugged", "functionName": "none", "functionVersion": "1"}
    with pytest.raises(grpc.RpcError, match="ResourceNotFound") as failed:
        engine.create("aws:lambda/alias:Alias", inputs)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_the_account_is_told(engine: ProviderEngine) -> None:
    """The one function that the program calls."""
    token = "aws:index/getCallerIdentity:getCallerIdentity"
    answer = engine.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=struct_pb2.Struct()))
    assert values(getattr(answer, "return"))["accountId"] == "000000000000"


def test_a_rehearsal_keeps_its_state_in_the_run_folder(
    environment: dict[str, str], emulator: Emulator
) -> None:
    """The user's own backend, where the real stack's state may be, is refused."""
    for backend in ("", "https://api.pulumi.com", "s3://states", f"file://{Path.home()}"):
        with pytest.raises(RefusedError, match="needs a state of its own"):
            Guard.of({**environment, REHEARSAL: "prod", BACKEND: backend})
    own = Guard.of({**environment, REHEARSAL: "prod", BACKEND: f"file://{emulator.run_dir}/pulumi"})
    assert replace(own, rehearsed="") == Guard.of(environment)
    own.check("urn:pulumi:prod::project::type::name")


def test_another_embedded_aws_than_the_folders_is_refused(environment: dict[str, str]) -> None:
    """A folder whose emulator was started anew, or a port that is somebody else's."""
    with pytest.raises(RefusedError, match="but the embedded AWS in"):
        Guard.of({**environment, EMULATOR: "http://127.0.0.1:1"})


def test_the_process_serves_on_the_port_it_prints_and_ends_with_its_engine(
    environment: dict[str, str],
) -> None:
    """As the engine starts it: a number on stdout. An engine that is killed leaves none behind."""
    engine = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'emulator.pulumi.plugin'])"
    started = subprocess.Popen(
        [sys.executable, "-c", engine], stdout=subprocess.PIPE, env={**os.environ, **environment}, text=True
    )
    with started:
        assert started.stdout is not None
        port = int(started.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.GetPluginInfo(empty_pb2.Empty()).version.startswith("7.")
            stub.Configure(provider_pb2.ConfigureRequest())
        started.kill()
        rest, _ = started.communicate(timeout=ENDS_WITHIN_S)
    assert rest == ""
