"""Logs and figures of the embedded stack: the old runbook's queries, the tail of an alert, the dashboard."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from clients.logs import read_events
from emulator.local_stack import LocalStack
from ops.local.running import api_keys
from tests.emulator.conftest import SOON_S
from tests.emulator.stack.conftest import Responder
from topology.functions import ANALYSIS, DISTRIBUTION, RECEPTION

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
HERE = "us-east-1"
ALERT = {
    "source": "figures-test",
    "title": "Tapir lantern overflows",
    "message": "the quince ledger of the tapir lantern overflows",
    "severity": "HIGH",
}


def count(stack: LocalStack, query: str) -> int:
    """What an Insights query over analysis's log counts in the last hour; no row is none."""
    logs = stack.deployment.clients.client("logs", HERE)
    now_s = int(time.time())
    query_id = logs.start_query(
        logGroupName=stack.deployment.names.log_group(ANALYSIS),
        startTime=now_s - 3_600,
        endTime=now_s + 60,
        queryString=query,
    )["queryId"]
    rows = logs.get_query_results(queryId=query_id)["results"]
    return int(rows[0][0]["value"]) if rows else 0


def test_an_alert_is_found_in_counts_in_a_tail_and_on_the_dashboard(
    stack: LocalStack, responder: Responder, eventually: Eventually
) -> None:
    """By the stock calls of the old runbook, and by the commands that take their place."""
    query = "fields @timestamp, @message | filter @message like /Claude analysis/ | stats count()"
    before = count(stack, query)
    key = {endpoints.region: key for endpoints, key in api_keys(stack.deployment).items()}[HERE]
    answer = requests.post(
        stack.deployment.primary.webhook_url, json=ALERT, headers={"x-api-key": key}, timeout=60
    )
    assert answer.status_code == 202, answer.text
    [accepted] = answer.json()["alerts"]
    alert_id = accepted["alert_id"]

    def told() -> list[dict[str, Any]] | None:
        shown = responder("logs", "tail", alert_id, "--json")
        lines = [json.loads(line) for line in shown.stdout.splitlines()]
        messages = [line["fields"]["message"] for line in lines if line["fields"]]
        return lines if {"Accepted an alert", "Claude analysis", "Notified"} <= set(messages) else None

    lines = eventually(told, within_s=4 * SOON_S)
    assert [line["at_ms"] for line in lines] == sorted(line["at_ms"] for line in lines)
    assert {line["function"] for line in lines} >= {"AlertReceptionFunction", "DistributionFunction"}
    assert count(stack, query) == before + 1
    pattern = f'{{ $.alert_id = "{alert_id}" && $.message = "Accepted*" }}'
    chosen = read_events(stack.deployment, RECEPTION, HERE, since_ms=0, pattern=pattern)
    assert [line.fields["alert_id"] for line in chosen if line.fields] == [alert_id]

    wanted = {
        ("Analyses", "model calls"), ("Model tokens", "input"), ("Model tokens", "output"),
        ("Accepted → Slack", "median"), ("Accepted → Slack", "p95"),
        *(("Invocations", spec.key) for spec in (RECEPTION, ANALYSIS, DISTRIBUTION)),
    }  # fmt: skip

    def figures() -> dict[tuple[str, str], float] | None:
        shown = json.loads(responder("dashboard", "--since", "1h", "--json").stdout)
        here = [one for one in shown["figures"] if one["region"] == HERE and one["points"]]
        known = {(one["panel"], one["figure"]): one["last"] for one in here}
        return known if wanted <= known.keys() else None

    known = eventually(figures, within_s=SOON_S)
    assert known["Analyses", "model calls"] >= 1
    assert 0 < known["Accepted → Slack", "median"] <= known["Accepted → Slack", "p95"]


def test_the_dashboard_is_there_and_log_groups_keep_what_is_configured(
    stack: LocalStack, responder: Responder
) -> None:
    """As the components made them."""
    cloudwatch = stack.deployment.clients.client("cloudwatch", HERE)
    body = cloudwatch.get_dashboard(DashboardName=stack.deployment.names.dashboard)["DashboardBody"]
    assert {widget["properties"]["region"] for widget in json.loads(body)["widgets"]} == {HERE, "us-west-2"}
    kept = responder("logs", "retention", "--json")
    assert kept.returncode == 0, kept.stderr
    assert {row["state"] for row in json.loads(kept.stdout)} == {"ok"}
