"""Rotating secrets on the embedded AWS: both regions use the new value, or nothing changes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from emulator.local_stack import LocalStack
from ops.local.running import api_keys
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator


@pytest.fixture
def responder_then_put_back(stack: LocalStack, responder: Responder) -> Iterator[Responder]:
    """Run commands; the webhook and the key are the stand-ins' again after the test."""
    yield responder
    given = stack.emulator.stand_ins()
    assert responder("secrets", "rotate", "slack", "--yes", typed=given.slack_webhook_url).returncode == 0
    assert responder("secrets", "rotate", "anthropic", "--yes", typed=given.anthropic_api_key).returncode == 0


def test_a_rotated_webhook_is_used_by_both_regions(
    stack: LocalStack, responder_then_put_back: Responder, eventually: Callable[..., Any]
) -> None:
    """The next alert of each region goes by it, with no redeploy; nothing that is printed has its address."""
    webhook = stack.emulator.add_slack_webhook("rotated")
    done = responder_then_put_back("secrets", "rotate", "slack", "--yes", typed=webhook)
    assert done.returncode == 0, done.stderr
    assert webhook not in done.stdout + done.stderr
    expected = set()
    for endpoints, key in api_keys(stack.deployment).items():
        body = {"source": "rotation", "title": endpoints.region, "message": "m", "severity": "CRITICAL"}
        answer = requests.post(endpoints.webhook_url, json=body, headers={"x-api-key": key}, timeout=60)
        expected |= {alert["alert_id"] for alert in answer.json()["alerts"]}

    def told() -> set[str]:
        messages = [one for one in stack.emulator.slack_messages() if one.channel == "rotated"]
        return {alert_id for message in messages for alert_id in message.alert_ids}

    eventually(lambda: expected <= told(), within_s=SOON_S, shown=told)


def test_a_key_that_claude_refuses_is_never_current(responder_then_put_back: Responder) -> None:
    """It says who refuses it; afterwards all secrets are taken by the functions of both regions."""
    refused = responder_then_put_back("secrets", "rotate", "anthropic", "--yes", typed="sk-ant-wrong")
    assert refused.returncode == 1
    assert "is as it was" in refused.stderr
    assert "the key is refused" in refused.stderr
    assert "sk-ant-wrong" not in refused.stdout + refused.stderr
    status = responder_then_put_back("secrets", "status", "--check", "--json")
    assert status.returncode == 0, status.stdout
    assert [row["secret"] for row in json.loads(status.stdout)] == ["slack", "anthropic"]
