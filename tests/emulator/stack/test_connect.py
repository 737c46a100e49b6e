"""`responder connect` on the local stack: what it prints works, and it says what came of a test alert."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import requests

from clients.deployment import Deployment
from emulator.local_stack import LocalStack
from ops.connect import command
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done once the command has begun to wait, as a person in another terminal would."""
    wait = command.wait_for_arrival

    def do(act: Callable[[], object]) -> None:
        def wait_after(*words: Any, **options: Any) -> Any:
            act()
            return wait(*words, **options)

        monkeypatch.setattr(command, "wait_for_arrival", wait_after)

    return do


def test_the_printed_script_sends_an_alert_and_connect_sees_it_to_slack(
    stack: LocalStack, responder: Responder, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """Standard output is the script and nothing else: a shell runs it. The region that took it is named."""
    script = responder("connect", "curl").stdout
    assert all(endpoints.webhook_url in script for endpoints in stack.deployment.regions)
    sent: list[Any] = []

    def send() -> None:
        done = subprocess.run(
            ["/bin/sh"], input=script, text=True, capture_output=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stderr
        sent.extend(json.loads(done.stdout)["alerts"])

    meanwhile(send)
    connected = responder("connect", "curl", "--wait", "--within", "90", "--json")
    assert connected.returncode == 0, connected.stderr
    (alert,) = [
        one for one in json.loads(connected.stdout)["alerts"] if one["alert_id"] == sent[0]["alert_id"]
    ]
    assert (alert["format"], alert["source"], alert["title"]) == ("generic", "curl", "A test alert")
    assert (alert["severity"], alert["state"], alert["region"]) == ("LOW", "firing", "us-east-1")
    assert (alert["status"], alert["notified_at_ms"] > 0) == ("NOTIFIED", True)


def test_connect_says_what_the_log_has_of_a_body_that_was_refused(
    stack: LocalStack, responder: Responder, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """Its error, its sample and its region; exit 1, since nobody was told."""
    deployment: Deployment = stack.deployment
    other = deployment.failover

    def send() -> None:
        headers = {"x-api-key": deployment.api_key(other), "content-type": "application/json"}
        answer = requests.post(other.webhook_url, data=b'{"ping": "connect"}', headers=headers, timeout=60)
        assert answer.status_code == 422

    meanwhile(send)
    connected = responder("connect", "datadog", "--wait", "--within", "90")
    assert connected.returncode == 1
    said = " ".join(connected.stderr.split())
    assert "us-west-2: Refused a request: format unknown, error unknown_format" in said
    assert '{"ping": "connect"}' in said
