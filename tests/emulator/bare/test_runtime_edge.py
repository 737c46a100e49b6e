"""The one address: every signed call reaches the region and service of its signature."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
import urllib3

from emulator.client import Emulator

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"


def test_regional_resource_is_in_its_region_only(client: Callable[..., Any]) -> None:
    """A queue of one region is not there in the other."""
    made = client("sqs", PRIMARY).create_queue(QueueName="only-here")["QueueUrl"]
    assert client("sqs", PRIMARY).list_queues(QueueNamePrefix="only-here")["QueueUrls"] == [made]
    assert not client("sqs", FAILOVER).list_queues(QueueNamePrefix="only-here").get("QueueUrls")


def test_queue_url_is_at_the_edge(emulator: Emulator, client: Callable[..., Any]) -> None:
    """So it stays valid when a region's process is replaced, and works for whoever is given it."""
    url = client("sqs", PRIMARY).create_queue(QueueName="addressed")["QueueUrl"]
    assert url.startswith(emulator.edge_url + "/")
    client("sqs", PRIMARY).send_message(QueueUrl=url, MessageBody="hello")
    [message] = client("sqs", PRIMARY).receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "hello"


def test_message_group_on_a_standard_queue_is_kept_and_orders_nothing(client: Callable[..., Any]) -> None:
    """Messages of one group are in flight together, unlike in a FIFO queue.

    Nor is the queue fair (`emulator.deviations`): on AWS the quiet group's message would come before the ten
    that are left of a group with thirty in flight.
    """
    sqs = client("sqs", PRIMARY)
    queue = sqs.create_queue(QueueName="grouped", Attributes={"VisibilityTimeout": "300"})["QueueUrl"]

    def send(group: str, number: int) -> None:
        entries = [{"Id": str(n), "MessageBody": group, "MessageGroupId": group} for n in range(number)]
        assert not sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")

    def receive() -> list[str]:
        got = sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
        )["Messages"]
        return [message["Attributes"]["MessageGroupId"] for message in got]

    for _ in range(4):
        send("noisy", 10)
    in_flight = [receive(), receive(), receive()]
    send("quiet", 1)
    assert [*in_flight, receive(), receive()] == [["noisy"] * 10] * 4 + [["quiet"]]


def test_secret_replica_has_the_latest_value(client: Callable[..., Any]) -> None:
    """Replication of secrets works in the durable process, later values included."""
    primary = client("secretsmanager", PRIMARY)
    primary.create_secret(Name="s", SecretString="first")
    primary.replicate_secret_to_regions(SecretId="s", AddReplicaRegions=[{"Region": FAILOVER}])
    primary.put_secret_value(SecretId="s", SecretString="second")
    assert client("secretsmanager", FAILOVER).get_secret_value(SecretId="s")["SecretString"] == "second"


def test_secret_of_one_region_outlives_it(emulator: Emulator, client: Callable[..., Any]) -> None:
    """What is durable is not in the region's process."""
    client("secretsmanager", PRIMARY).create_secret(Name="kept", SecretString="kept")
    emulator.kill(PRIMARY)
    emulator.start_region(PRIMARY)
    assert client("secretsmanager", PRIMARY).get_secret_value(SecretId="kept")["SecretString"] == "kept"


def test_global_services_answer_to_the_region_that_clients_sign_for(client: Callable[..., Any]) -> None:
    """IAM is signed for us-east-1 by everybody; STS in the client's own region."""
    client("iam", FAILOVER).create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    assert client("iam", PRIMARY).get_role(RoleName="r")["Role"]["RoleName"] == "r"
    assert client("sts", FAILOVER).get_caller_identity()["Account"] == "000000000000"


def test_object_survives_the_way_byte_for_byte(client: Callable[..., Any]) -> None:
    """Bodies, lengths of HEAD answers and odd keys pass through unchanged."""
    s3 = client("s3", PRIMARY, s3={"addressing_style": "path"})
    body = bytes(range(256)) * 4096
    key = "a b/ünï%2Fcode+&.bin"
    s3.create_bucket(Bucket="bytes")
    s3.put_object(Bucket="bytes", Key=key, Body=body)
    assert s3.get_object(Bucket="bytes", Key=key)["Body"].read() == body
    assert s3.head_object(Bucket="bytes", Key=key)["ContentLength"] == len(body)


def test_presigned_url_is_routed_by_its_query(client: Callable[..., Any]) -> None:
    """A presigned URL carries its scope in the query."""
    s3 = client("s3", PRIMARY, s3={"addressing_style": "path"}, signature_version="s3v4")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"signed for")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
    assert urllib3.request("GET", url, timeout=30, retries=False).data == b"signed for"


def test_unsigned_request_is_told_what_the_address_is_for(emulator: Emulator) -> None:
    """Nobody guesses a region."""
    answer = urllib3.request("GET", f"{emulator.edge_url}/", timeout=30, retries=False)
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert "SigV4" in answer.data.decode()


def test_control_api_needs_its_token(emulator: Emulator) -> None:
    """Another program on this machine cannot kill a region by guessing the port."""
    control_url = json.loads((emulator.run_dir / "emulator.json").read_text())["control_url"]
    answer = urllib3.request(
        "POST",
        f"{control_url}/regions/{PRIMARY}/kill",
        headers={"Authorization": "Bearer guessed"},
        timeout=30,
        retries=False,
    )
    assert answer.status == HTTPStatus.UNAUTHORIZED
    assert {region.power for region in emulator.status().regions} == {"running"}
