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
TEXT, OTHER_TEXT = "The narwhal reactor leaks", "The walrus reactor leaks"


def test_an_evicted_answer_is_asked_for_again_and_an_older_one_in_flight_is_not_cached(
    stack: LocalStack, whole: Emulator, responder: Responder, eventually: Callable[..., Any]
) -> None:
    """One region waits for Claude while the cache has an answer; that is cleared, and the late one loses.

    A dry run clears nothing, nor do a model, an age and a signature that are others.
    """
    deployment = stack.deployment
    region_of = {endpoints.region: endpoints for endpoints in deployment.regions}
    dynamodb = deployment.clients.client("dynamodb", FAILOVER)

    def send(region: str, text: str = TEXT, **fields: str) -> str:
        """An alert, whose text makes its signature; its id."""
        endpoints = region_of[region]
        body = {"source": "cache-test", "title": text, "message": text, "severity": "HIGH", **fields}
        headers = {"x-api-key": deployment.api_key(endpoints)}
        answer = requests.post(endpoints.webhook_url, json=body, headers=headers, timeout=60)
        (alert,) = answer.json()["alerts"]
        return str(alert["alert_id"])

    def status(alert_id: str) -> str:
        return str(read_ledger(deployment, PRIMARY)[alert_id].status)

    def notified(*ids: str) -> None:
        eventually(lambda: {status(one) for one in ids} == {"NOTIFIED"}, within_s=SOON_S)

    def calls() -> int:
        return sum(TEXT in body for body in whole.claude_requests())

    def cleared(*words: str) -> set[str]:
        done = responder("cache", "clear", "--json", *words)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        return set(report.get("would_evict", report.get("evicted")))

    notified(send(PRIMARY, OTHER_TEXT))
    before = cleared("--dry-run")
    notified(send(FAILOVER, host="b"))

    (signature,) = cleared("--dry-run") - before
    for others in (["--model", "another"], ["--older-than", "1d"], ["--signature", "another"]):
        assert cleared("--yes", *others) == set()
    assert cleared("--dry-run", "--signature", signature) == {signature}
    stats = {row["region"]: row for row in json.loads(responder("cache", "stats", "--json").stdout)}
    assert stats[FAILOVER]["model_calls"] >= 1
    assert stats[FAILOVER]["output_tokens"] > 0

    # Its answer is away while the late alert asks, and there again at once: Claude is waited for 12 s only.
    table, key = deployment.analysis_cache_table, {"error_signature": {"S": signature}}
    answer = dynamodb.delete_item(TableName=table, Key=key, ReturnValues="ALL_OLD")["Attributes"]
    asked = calls()
    whole.set_fault("claude", "slow", region=PRIMARY)
    late = send(PRIMARY, host="a")
    eventually(lambda: calls() == asked + 1, within_s=SOON_S)
    dynamodb.put_item(TableName=table, Item=answer)
    assert cleared("--yes", "--signature", signature) == {signature}
    assert status(late) == "RECEIVED"
    whole.clear_faults()
    notified(late)
    assert calls() == asked + 1
    assert cleared("--dry-run", "--signature", signature) == set()

    notified(send(FAILOVER, host="c", status="resolved"))  # of another incident, so that it asks
    assert calls() == asked + 2
