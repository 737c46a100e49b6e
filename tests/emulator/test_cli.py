"""`responder local` and `responder audit` as a person runs them: exit codes and one-line errors."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests

from clients.receipts import Receipt, ReceiptsFile

pytestmark = pytest.mark.emulator

Run = Callable[..., subprocess.CompletedProcess[str]]
RESPONDER = Path(sys.executable).with_name("responder")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this module's own stack."""
    return tmp_path_factory.mktemp("cli") / "stack"


@pytest.fixture(scope="module")
def responder(run_dir: Path) -> Iterator[Run]:
    """Run the command on this module's stack, which is taken down at the end."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(RESPONDER), *words, "--run-dir", str(run_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)

    yield run
    run("local", "down")


@pytest.fixture(scope="module")
def up(responder: Run) -> subprocess.CompletedProcess[str]:
    """The first `up`."""
    return responder("local", "up", "--free-ports")


def test_up_says_all_that_a_person_needs(up: subprocess.CompletedProcess[str], responder: Run) -> None:
    """Both webhooks with their keys, the edge for the AWS CLI, and where Slack is read."""
    assert up.returncode == 0, up.stderr
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["region"] for region in status["regions"]] == ["us-east-1", "us-west-2"]
    for region in status["regions"]:
        assert {region["webhook"], region["api_key"], region["health"]} <= set(up.stdout.split())
    assert status["edge"] in up.stdout
    assert requests.get(status["slack"], timeout=10).headers["content-type"].startswith("text/html")


def test_a_second_up_changes_nothing(up: subprocess.CompletedProcess[str], responder: Run) -> None:
    """It updates what changed, and says how much that was."""
    again = responder("local", "up")
    assert again.returncode == 0, again.stderr
    assert "0 created, 0 updated" in again.stdout
    assert up.stdout.count(" created") == 1


def test_a_lost_region_is_shown_and_audit_calls_it_unknown(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """Missing data is never healthy: exit 1 and one line, and after `mend` the audit passes."""
    assert up.returncode == 0
    with ReceiptsFile(run_dir / "receipts.jsonl"):
        pass
    assert responder("local", "break", "us-east-1", "--how", "kill").returncode == 0
    status = json.loads(responder("local", "status", "--json").stdout)
    assert [region["state"] for region in status["regions"]] == ["killed", "running"]
    for words in (("audit",), ("local", "up")):
        refused = responder(*words)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert "us-east-1" in refused.stderr
    assert "now running" in responder("local", "mend", "us-east-1").stdout
    assert responder("audit").returncode == 0


def test_audit_names_a_receipt_that_no_ledger_knows(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """Exit 1 and the id."""
    assert up.returncode == 0
    receipts = run_dir / "invented.jsonl"
    with ReceiptsFile(receipts) as out:
        out.add(Receipt("a-lost-one", "RECEIVED", "us-east-1", 0, 1))
    found = responder("audit", "--receipts", str(receipts), "--json")
    assert found.returncode == 1
    assert "a-lost-one" in json.loads(found.stdout)["unaccounted"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("local", "break", "mars"), "there are us-east-1, us-west-2"),
        (("local", "mend", "mars"), "there are us-east-1, us-west-2"),
        (("local", "up", "--real-claude"), "--anthropic-key-file"),
        (("local", "up", "--real-slack"), "--slack-webhook-file"),
        (("audit", "--receipts", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
    ],
)
def test_wrong_use_is_told_what_is_right(
    up: subprocess.CompletedProcess[str], responder: Run, words: tuple[str, ...], says: str
) -> None:
    """No traceback, never exit 0."""
    assert up.returncode == 0
    found = responder(*words)
    assert found.returncode in {1, 2}
    assert says in " ".join(found.stderr.replace("│", " ").split()), found.stderr
    assert "Traceback" not in found.stderr


def test_down_leaves_nothing_and_may_be_said_twice(
    up: subprocess.CompletedProcess[str], responder: Run, run_dir: Path
) -> None:
    """No process, no folder; what is not running needs no stopping."""
    assert up.returncode == 0
    assert responder("local", "down").returncode == 0
    assert not run_dir.exists()
    left = [p for p in psutil.process_iter(["cmdline"]) if str(run_dir) in " ".join(p.info["cmdline"] or ())]
    assert left == []
    assert responder("local", "down").returncode == 0
    gone = responder("local", "status")
    assert gone.returncode == 1
    assert "responder local up" in gone.stderr
