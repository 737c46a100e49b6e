"""Sending an alert by hand: what bad use gets, and when each hop was over."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from clients.aws import AwsClients
from clients.deployment import Deployment
from runbook.sending import Answer, Journey, SendError, follow, send_body
from tests.fakes.deployment import FAILOVER, PRIMARY
from tests.unit.runbook.conftest import Put

NOWHERE = "http://127.0.0.1:9/alerts"


class _Keys(AwsClients):
    """API Gateway with one key, or `down`."""

    def __init__(self, name: str, *, down: bool = False) -> None:
        self._name, self._down = name, down

    def client(self, service: str, region: str) -> Any:
        """See `AwsClients`."""
        if self._down:
            raise EndpointConnectionError(endpoint_url=f"{service} of {region}")
        return SimpleNamespace(get_api_keys=self._keys)

    def _keys(self, **_: object) -> dict[str, Any]:
        return {"items": [{"name": self._name, "value": "s3cret-of-the-key"}]}


@pytest.mark.parametrize("down", [True, False])
def test_a_region_that_is_down_is_one_line_with_the_other_as_next_step(
    deployment: Deployment, *, down: bool
) -> None:
    """Whether it is its API Gateway or its webhook that nobody answers; and without its key."""
    there = replace(deployment, clients=_Keys(deployment.names.api_key, down=down))
    endpoints = replace(there.primary, webhook_url=NOWHERE)
    with pytest.raises(SendError, match=f"add `--region {FAILOVER}`") as failed:
        send_body(there, endpoints, b"{}", {})
    assert PRIMARY in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "s3cret" not in str(failed.value)


def test_an_alert_is_followed_until_it_rests_and_each_hop_has_its_time(
    deployment: Deployment, put: Put
) -> None:
    """By the row's own times where it has them, else by when it was seen."""
    alert_id = put("a" + "1" * 32, at_s=1_800_000_000, status="NOTIFIED", notified_at_ms=1_800_000_003_000)
    (journey,) = follow(deployment, [alert_id], within_s=1).of
    answer = Answer(PRIMARY, 202, {"alerts": [{"alert_id": alert_id}]}, 1_799_999_999_900, 1_800_000_000_150)
    hops = journey.hops(answer)
    assert [hop.name for hop in hops if not hop.seen] == ["accepted", "answered", "in Slack"]
    assert {hop.name: hop.at_ms for hop in hops}["in Slack"] == 1_800_000_003_000
    assert answer.alert_ids == [alert_id]


def test_what_the_ledger_does_not_have_is_no_hop(deployment: Deployment) -> None:
    """It is told as it is: answered, and no more."""
    (journey,) = follow(deployment, ["a" + "2" * 32], within_s=0).of
    assert not journey.at_rest
    answer = Answer(PRIMARY, 202, {}, 1, 2)
    assert [hop.name for hop in journey.hops(answer)] == ["answered"]
    assert Journey("a1").row is None
