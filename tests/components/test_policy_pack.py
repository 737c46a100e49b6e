"""The policy pack in a process of its own, asked over gRPC as Pulumi's engine asks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import proto
from pulumi.runtime.proto import analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policy.catalogue import RULES
from policy.pack import UNKNOWN
from tests.components.recorder import ROOT, stack_file
from topology.names import PROJECT, Names
from topology.queues import PROCESSING

URN = f"urn:pulumi:{{stack}}::{PROJECT}::{{type}}::{{name}}"
TAGS = {"Project": PROJECT, "Stack": "dev", "Owner": "incident-response", "ManagedBy": "pulumi"}
QUEUE = {
    "name": Names("dev").queue(PROCESSING),
    "region": "us-east-1",
    "tags": TAGS,
    "sqsManagedSseEnabled": True,
}


@contextmanager
def served(config: Mapping[str, str] | None = None) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack as the engine starts it; with the configuration of an update, where there is one."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    if config:
        environment["PULUMI_CONFIG"] = json.dumps(config)
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(ROOT / "policy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT / "policy", env=environment) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)  # type: ignore[no-untyped-call]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def pack() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack without an update's configuration: it reads the stack's file."""
    with served() as stub:
        yield stub


def resource(type_: str, properties: Mapping[str, Any], *, stack: str = "dev") -> Any:
    """A resource as the engine sends it."""
    sent = struct_pb2.Struct()
    sent.update(properties)
    name = "us-east-1-planted"
    return proto.AnalyzeRequest(
        type=type_,
        properties=sent,
        urn=URN.format(stack=stack, type=type_, name=name),
        name=name,
        options=proto.AnalyzerResourceOptions(protect=False),
    )


def said(answer: Any) -> dict[str, str]:
    """Rule to message, of an answer."""
    return {found.policyName: found.message for found in answer.diagnostics}


def test_every_rule_is_offered_with_its_level_and_page(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """The engine lists the rules and which of them stop a deployment."""
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == PROJECT
    levels = {"mandatory": proto.MANDATORY, "advisory": proto.ADVISORY}
    assert {(p.name, p.enforcementLevel, p.url) for p in info.policies} == {
        (rule.name, levels[rule.level], rule.url) for rule in RULES
    }


def test_a_violation_stops_the_deployment_and_names_the_control(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """What is said has the promise, its control and the next step."""
    answer = pack.Analyze(resource("aws:sqs/queue:Queue", {**QUEUE, "sqsManagedSseEnabled": False}))
    assert said(answer) == {
        "queues-encrypted": "A queue is encrypted at rest. [SQS.1]\n"
        "neither sqsManagedSseEnabled nor kmsMasterKeyId is set; set one"
    }
    assert answer.diagnostics[0].enforcementLevel == proto.MANDATORY
    assert not said(pack.Analyze(resource("aws:sqs/queue:Queue", QUEUE)))


def test_what_is_unknown_in_a_preview_is_not_passed_and_not_a_violation(
    pack: analyzer_pb2_grpc.AnalyzerStub,
) -> None:
    """A policy whose ARNs AWS has yet to give is looked at while the stack is updated."""
    inputs = {"name": "work", "role": "r", "policy": UNKNOWN_STRING_VALUE}
    answer = pack.Analyze(resource("aws:iam/rolePolicy:RolePolicy", inputs))
    assert not said(answer)
    assert {"policies-name-actions", "roles-name-resources"} <= {
        skipped.policy_name for skipped in answer.not_applicable if skipped.reason == UNKNOWN
    }


def test_the_configuration_of_the_update_counts(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """What `--config` changes is what the rules go by; without an update it is the stack's file."""
    moved = {**stack_file("dev"), f"{PROJECT}:primaryRegion": "eu-west-1", f"{PROJECT}:owner": "others"}
    queue = resource("aws:sqs/queue:Queue", QUEUE)
    assert not said(pack.Analyze(queue))
    with served(moved) as other:
        assert said(other.Analyze(queue)).keys() == {"region-expected", "owner-tagged"}


def test_a_bucket_is_looked_at_with_all_its_settings(pack: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """What other resources set for a bucket is looked at once all of the stack is known."""
    bucket = resource("aws:s3/bucket:Bucket", {"bucket": "b", "region": "us-east-1"})
    versioning = resource(
        "aws:s3/bucketVersioning:BucketVersioning",
        {"bucket": "b", "region": "us-east-1", "versioningConfiguration": {"status": "Enabled"}},
    )

    def stack(*requests: Any) -> Any:
        return pack.AnalyzeStack(
            proto.AnalyzeStackRequest(
                resources=[
                    proto.AnalyzerResource(
                        type=r.type, properties=r.properties, urn=r.urn, name=r.name, options=r.options
                    )
                    for r in requests
                ]
            )
        )

    lacking = said(stack(bucket))
    assert lacking.keys() - said(stack(bucket, versioning)).keys() == {"buckets-versioned"}
    assert {"buckets-versioned", "buckets-locked", "buckets-block-public-access"} <= lacking.keys()
    assert {found.urn for found in stack(bucket).diagnostics} == {bucket.urn}
