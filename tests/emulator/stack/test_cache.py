"""`responder cache` against answers that alerts left in the cache as they went through both regions."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from audit.ledger import read_ledger
from emulator.client import Emulator
from emulator.local_stack import LocalStack
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder

pytestmark = pytest.mark.emulator

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
TEXT = "The narwhal reactor leaks"
SLOW_S = 8.0
"""How long Claude takes for the answer that comes too late; the analysis function waits for 15 s."""


def test_an_evicted_answer_is_asked_for_again_and_an_older_one_in_flight_is_not_cached(
    stack: LocalStack, whole: Emulator, responder: Responder, eventually: Callable[..., Any]
) -> None:
    """One region waits for Claude while the other caches its answer; that is cleared, and the late one loses.

    A dry run clears nothing, nor do a model, an age and a signature that are others.
    """
    deployment = stack.deployment
    region_of = {endpoints.region: endpoints for endpoints in deployment.regions}

    def send(region: str, **fields: str) -> str:
        """An alert of one signature; its id."""
        endpoints = region_of[region]
        body = {"source": "cache-test", "title": TEXT, "message": TEXT, "severity": "HIGH", **fields}
        headers = {"x-api-key": deployment.api_key(endpoints)}
        answer = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=60)
        (alert,) = answer.json()["alerts"]
        return str(alert["alert_id"])

    def notified(alert_id: str) -> bool:
        return read_ledger(deployment, PRIMARY)[alert_id].status == "NOTIFIED"

    def calls() -> int:
        return sum(TEXT in body for body in whole.claude_requests())

    def cleared(*words: str) -> set[str]:
        done = responder("cache", "clear", "--json", *words)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        return set(report.get("would_evict", report.get("evicted")))

    before = cleared("--dry-run")
    whole.set_fault("claude", "slow", times=1, region=PRIMARY, delay_s=SLOW_S)
    late = send(PRIMARY, host="a")
    eventually(lambda: calls() == 1, within_s=SOON_S)
    early = send(FAILOVER, host="b")
    eventually(lambda: notified(early), within_s=SOON_S)

    (signature,) = cleared("--dry-run") - before
    for others in (["--model", "another"], ["--older-than", "1d"], ["--signature", "another"]):
        assert cleared("--yes", *others) == set()
    assert cleared("--dry-run", "--signature", signature) == {signature}
    stats = {row["region"]: row for row in json.loads(responder("cache", "stats", "--json").stdout)}
    assert stats[FAILOVER]["model_calls"] >= 1
    assert stats[FAILOVER]["output_tokens"] > 0

    assert cleared("--yes", "--signature", signature) == {signature}
    eventually(lambda: notified(late), within_s=SOON_S)
    assert cleared("--dry-run", "--signature", signature) == set()

    asked = calls()
    asked_again = send(FAILOVER, host="c", status="resolved")  # of another incident, so that it asks
    eventually(lambda: notified(asked_again), within_s=SOON_S)
    assert calls() == asked + 1
