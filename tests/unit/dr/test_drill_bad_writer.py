"""The bad writer of a drill: whom it meets, what it does, and that its work is seen."""

import msgspec

from clients.receipts import Receipt
from dr.drill.bad_writer import (
    BROKEN,
    BROKEN_STATUS,
    CHANGED,
    DELETED,
    GARBAGE,
    choose,
    missing,
    read_items,
    seen_everywhere,
    write,
)
from dr.drill.record import Damage
from tests.fakes.dr_stack import FAILOVER, PRIMARY, DrStack, dr_stack, put_alert

ALL = CHANGED + BROKEN + DELETED


def _stack(count: int, *, status: str = "NOTIFIED") -> tuple[DrStack, list[Receipt]]:
    stack = dr_stack()
    ids = [f"a{number:03d}" for number in range(count)]
    for alert_id in ids:
        put_alert(alert_id, status=status, region=PRIMARY)
    return stack, [Receipt(alert_id, "RECEIVED", PRIMARY, 1, 2) for alert_id in ids]


def test_it_waits_for_enough_alerts_at_rest(aws: None) -> None:  # noqa: ARG001 - moto
    """One too few is too few."""
    stack, receipts = _stack(ALL - 1)
    assert choose(stack.deployment, receipts) is None


def test_it_meets_only_alerts_at_rest_that_the_drill_sent(aws: None) -> None:  # noqa: ARG001 - moto
    """Each once; what is open, or of somebody else, is left alone."""
    stack, receipts = _stack(ALL)
    put_alert("a-of-others", status="NOTIFIED", region=PRIMARY)
    put_alert("a-open", status="RECEIVED", region=PRIMARY)
    damage = choose(stack.deployment, [*receipts, Receipt("a-open", "RECEIVED", PRIMARY, 1, 2)])
    assert damage is not None
    assert sorted(damage.ids) == sorted(receipt.alert_id for receipt in receipts)
    assert len(set(damage.ids)) == ALL
    assert msgspec.json.decode(msgspec.json.encode(damage), type=Damage) == damage


def test_its_work_is_seen_in_every_region_and_by_the_receipts(aws: None) -> None:  # noqa: ARG001 - moto
    """Overwritten, broken and deleted rows; doing it again changes nothing more."""
    stack, receipts = _stack(ALL)
    damage = choose(stack.deployment, receipts)
    assert damage is not None
    assert not seen_everywhere(stack.deployment, damage)
    assert missing(stack.deployment, receipts) == []
    for _ in range(2):
        write(stack.deployment, damage)
        assert seen_everywhere(stack.deployment, damage)
        assert missing(stack.deployment, receipts) == sorted(damage.deleted)
    rows = read_items(stack.deployment, FAILOVER, stack.deployment.alerts_table, damage.ids)
    assert {rows[one]["title"]["S"] for one in damage.changed} == {GARBAGE}
    assert {rows[one]["status"]["S"] for one in damage.broken} == {BROKEN_STATUS}
    assert set(rows) == {*damage.changed, *damage.broken}
