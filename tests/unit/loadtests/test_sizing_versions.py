"""Versions of other sizes: made, and whatever happens meanwhile, nothing of them stays."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from clients.deployment import Deployment
from loadtests.sizing.versions import (
    SIZE_BEFORE,
    NotPutBackError,
    SizeRefusedError,
    VariablesUnreadError,
    Versions,
)
from tests.fakes.deployment import PRIMARY, deployment_on_moto
from tests.fakes.moto_clients import moto_client
from topology.functions import FUNCTIONS, RECEPTION
from topology.names import LIVE_ALIAS

SIZE_MB = 512
VARIABLES = {"LEASE_S": "120"}


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    """A stack whose four functions have one version each, which is live."""
    with mock_aws():
        made = deployment_on_moto()
        iam = moto_client("iam", PRIMARY)
        role = iam.create_role(RoleName="work", AssumeRolePolicyDocument=json.dumps({}))["Role"]["Arn"]
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handlers.py", "")
        client = moto_client("lambda", PRIMARY)
        for spec in FUNCTIONS:
            client.create_function(
                FunctionName=made.names.function(spec),
                Runtime="python3.13",
                Handler=spec.handler,
                Role=role,
                Code={"ZipFile": package.getvalue()},
                MemorySize=SIZE_MB,
                Environment={"Variables": VARIABLES},
                Publish=True,
            )
            client.create_alias(FunctionName=made.names.function(spec), Name=LIVE_ALIAS, FunctionVersion="1")
        yield made


@pytest.fixture
def versions(deployment: Deployment) -> Versions:
    """Of its primary region."""
    return Versions(deployment, PRIMARY)


def fail(deployment: Deployment, operation: str, code: str, *, after: int = 0) -> None:
    """Have a call of Lambda be refused, once it was made so often."""
    client, calls = client_of(deployment), iter(range(1_000))

    def refuse(**_: Any) -> None:
        if next(calls) >= after:
            answer = {"Error": {"Code": code, "Message": "no"}}
            raise client.exceptions.from_code(code)(answer, operation)

    client.meta.events.register(f"before-call.lambda.{operation}", refuse, unique_id="refused")


def allow(deployment: Deployment, operation: str) -> None:
    """Have it be allowed again."""
    client_of(deployment).meta.events.unregister(f"before-call.lambda.{operation}", unique_id="refused")


def client_of(deployment: Deployment) -> Any:
    """The client that the tuner uses too."""
    return deployment.clients.client("lambda", PRIMARY)


def state_of(deployment: Deployment) -> dict[str, Any]:
    """Of reception: its size, environment, versions, and what is live."""
    client, name = client_of(deployment), deployment.names.function(RECEPTION)
    latest = client.get_function_configuration(FunctionName=name)
    return {
        "size": latest["MemorySize"],
        "variables": latest["Environment"]["Variables"],
        "versions": [v["Version"] for v in client.list_versions_by_function(FunctionName=name)["Versions"]],
        "live": client.get_alias(FunctionName=name, Name=LIVE_ALIAS)["FunctionVersion"],
    }


BEFORE = {"size": SIZE_MB, "variables": VARIABLES, "versions": ["$LATEST", "1"], "live": "1"}


def test_a_version_has_the_size_and_nothing_else_has(deployment: Deployment, versions: Versions) -> None:
    """Two of one size are two versions; the alias stays; all of them are deleted at the end."""
    made = [versions.publish(RECEPTION, 1024) for _ in range(2)]
    assert state_of(deployment) == {**BEFORE, "versions": ["$LATEST", "1", *made]}
    found = client_of(deployment).get_function_configuration(
        FunctionName=deployment.names.function(RECEPTION), Qualifier=made[0]
    )
    assert found["MemorySize"] == 1024
    versions.delete(RECEPTION, made[0])
    versions.put_back()
    assert state_of(deployment) == BEFORE


@pytest.mark.parametrize(
    ("code", "error"),
    [("ServiceException", ClientError), ("InvalidParameterValueException", SizeRefusedError)],
)
def test_what_fails_half_way_is_put_back_at_once(
    deployment: Deployment, versions: Versions, code: str, error: type[Exception]
) -> None:
    """The size that the account may not have is told from other refusals."""
    fail(deployment, "PublishVersion", code)
    with pytest.raises(error):
        versions.publish(RECEPTION, 10_240)
    allow(deployment, "PublishVersion")
    assert state_of(deployment) == BEFORE


def test_an_interrupted_one_is_put_back_at_once(deployment: Deployment, versions: Versions) -> None:
    """Ctrl-C comes while the size is another one; SIGTERM and a lost terminal come as it (`interrupts`)."""

    def interrupt(**_: Any) -> None:
        raise KeyboardInterrupt

    client_of(deployment).meta.events.register("before-call.lambda.PublishVersion", interrupt)
    with pytest.raises(KeyboardInterrupt):
        versions.publish(RECEPTION, 2048)
    assert state_of(deployment) == BEFORE


def test_what_cannot_be_put_back_is_named_with_the_size_it_had(
    deployment: Deployment, versions: Versions
) -> None:
    """Then another try, from wherever, puts it back: the function itself says what it had."""
    fail(deployment, "UpdateFunctionConfiguration", "ServiceException", after=1)
    with pytest.raises(ClientError):
        versions.publish(RECEPTION, 2048)
    with pytest.raises(
        NotPutBackError, match=r"AlertReceptionFunction .* has 2048 MB, where it had 512"
    ) as raised:
        versions.put_back()
    assert "\n" not in str(raised.value)
    assert state_of(deployment)["variables"][SIZE_BEFORE] == str(SIZE_MB)
    assert state_of(deployment)["versions"] == BEFORE["versions"]
    allow(deployment, "UpdateFunctionConfiguration")
    Versions(deployment, PRIMARY).put_back()
    assert state_of(deployment) == BEFORE


def test_a_version_that_cannot_be_deleted_is_named(deployment: Deployment, versions: Versions) -> None:
    """The other functions are put back all the same."""
    version = versions.publish(RECEPTION, 2048)
    fail(deployment, "DeleteFunction", "AccessDeniedException")
    with pytest.raises(
        NotPutBackError, match=f"version {version} of .*AlertReceptionFunction in {PRIMARY} is left"
    ):
        versions.put_back()
    allow(deployment, "DeleteFunction")
    versions.put_back()
    assert state_of(deployment) == BEFORE


def test_an_environment_that_cannot_be_read_is_not_overwritten(
    deployment: Deployment, versions: Versions
) -> None:
    """Without the right to decrypt it AWS answers an error in its place."""

    def hide(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Environment"] = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}}

    events = client_of(deployment).meta.events
    events.register("after-call.lambda.GetFunctionConfiguration", hide, unique_id="hidden")
    with pytest.raises(VariablesUnreadError, match="cannot be read"):
        versions.publish(RECEPTION, 2048)
    events.unregister("after-call.lambda.GetFunctionConfiguration", unique_id="hidden")
    assert state_of(deployment) == BEFORE
