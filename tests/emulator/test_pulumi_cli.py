"""The Pulumi CLI's own engine on the embedded AWS, where there is a CLI: the program's whole life, twice."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from clients.aws import AwsClients
from lambda_packages import ROOT
from topology.names import PROJECT

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pulumi") is None,
        reason="the Pulumi CLI is not on PATH; https://www.pulumi.com/docs/install/ says how to get it",
    ),
]

RESPONDER = Path(sys.executable).with_name("responder")
WITHIN_S = 600.0

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the stacks; the embedded AWS in it ends with the module."""
    folder = tmp_path_factory.mktemp("cli") / "stack"
    yield folder
    assert run("local", "down", "--run-dir", str(folder)).returncode == 0


@pytest.fixture
def pulumi(run_dir: Path) -> Callable[..., Done]:
    """Run the CLI, on the local stack unless told otherwise."""

    def call(*words: str, rehearse: str = "") -> Done:
        options = ["--free-ports", "--run-dir", str(run_dir), *(["--rehearsal"] if rehearse else [])]
        return run("local", "pulumi", *options, "--", *words, "-s", rehearse or "local")

    return call


def run(*words: str) -> Done:
    """Run the installed command."""
    return subprocess.run(
        [str(RESPONDER), *words], capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def test_a_stack_lives_by_the_real_engine(pulumi: Callable[..., Done], run_dir: Path) -> None:
    """Deployed, unchanged the second time, changed in place, taking alerts, refreshed, and destroyed."""
    before = {path: path.read_text() for path in ROOT.glob("Pulumi*.yaml")}
    up = pulumi("up", "--yes")
    assert up.returncode == 0, up.stdout + up.stderr
    again = pulumi("up", "--yes", "--expect-no-changes")
    assert again.returncode == 0, again.stdout
    status = json.loads(run("local", "status", "--json", "--run-dir", str(run_dir)).stdout)
    for region in status["regions"]:
        body = {"source": "cli", "title": region["region"], "message": "x", "severity": "LOW"}
        headers = {"x-api-key": region["api_key"]}
        assert requests.post(region["webhook"], json=body, headers=headers, timeout=60).status_code == 202
    larger = pulumi("up", "--yes", "--config", "receptionMemoryMb=640")
    assert "4 updated" in larger.stdout, "two functions and their aliases"
    assert "1 replaced" in larger.stdout, "the record of the stack, whose old version stays locked"
    sqs = AwsClients(status["edge"]).client("sqs", "us-east-1")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"{PROJECT}-local-distribution-dlq")["QueueUrl"])
    assert "1 deleted" in pulumi("refresh", "--yes").stdout
    destroyed = pulumi("destroy", "--yes")
    assert destroyed.returncode == 0, destroyed.stdout
    assert {path: path.read_text() for path in ROOT.glob("Pulumi*.yaml")} == before


def test_prod_is_rehearsed_and_its_protection_holds(pulumi: Callable[..., Done]) -> None:
    """A second `up` protects the replicas, as on AWS, a third changes nothing; a destroy is refused."""
    for changes in ("created", "2 updated"):
        up = pulumi("up", "--yes", rehearse="prod")
        assert up.returncode == 0, up.stdout + up.stderr
        assert changes in up.stdout
    refused = pulumi("destroy", "--yes", rehearse="prod")
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    again = pulumi("up", "--yes", "--expect-no-changes", rehearse="prod")
    assert again.returncode == 0, again.stdout
