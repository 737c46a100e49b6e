"""Incidents on the embedded AWS: many alerts of one fault, in both regions at once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from audit.ledger import LedgerRow, read_ledger
from clients.receipts import ReceiptsFile
from clients.sender import Sender
from emulator.local_stack import LocalStack
from ops.local.running import webhooks_of
from tests.emulator.conftest import SOON_S

pytestmark = pytest.mark.emulator

Eventually = Callable[..., Any]
SENDERS = 20


@pytest.mark.parametrize("count", [100])
def test_hundred_alerts_of_one_signature_in_each_region_cost_one_call_a_region(
    stack: LocalStack, eventually: Eventually, tmp_path: Any, count: int
) -> None:
    """All are told, with few messages: the first is posted, and the others are counted by what follows."""
    before = len([body for body in stack.emulator.claude_requests() if "zirconium" in body])
    assert before == 0
    webhooks = webhooks_of(stack.deployment)
    ids: list[str] = []

    with ReceiptsFile(tmp_path / "receipts.jsonl") as receipts, ThreadPoolExecutor(SENDERS) as threads:
        sender = Sender(receipts)

        def send(number: int) -> None:
            webhook = webhooks[number % len(webhooks)]
            body = {
                "source": "furnace",
                "title": "The zirconium furnace is too hot",
                "message": f"furnace-{number} reads {1_000 + number} degrees",
                "severity": "HIGH",
                "host": f"furnace-{number}",
            }
            ids.extend(receipt.alert_id for receipt in sender.post(body, (webhook,)).alerts)

        list(threads.map(send, range(count * len(webhooks))))
    assert len(set(ids)) == count * len(webhooks)

    def rows() -> list[LedgerRow]:
        ledger = read_ledger(stack.deployment, stack.deployment.primary.region)
        return [ledger[alert_id] for alert_id in ids]

    eventually(
        lambda: all(row.status == "NOTIFIED" for row in rows()),
        within_s=6 * SOON_S,
        shown=lambda: Counter(row.status for row in rows()),
    )
    calls = [body for body in stack.emulator.claude_requests() if "zirconium" in body]
    assert 1 <= len(calls) <= len(webhooks)
    told = {row.digest_id or row.alert_id for row in rows()}
    assert len(told) <= 8 * len(webhooks)
