"""What people see of what is expected: by the records of both regions, or of the one that answers."""

from dataclasses import replace

import pytest

from clients.coordination import CoordinationRecords, CoordinationUnreachableError
from clients.deployment import Deployment
from clients.heartbeats import Expected, read_expected
from tests.fakes.deployment import FAILOVER, PRIMARY, LossyClients
from topology.records import absence_record, heartbeat_record, synthetic_record, watch_record

NOW_MS = 1_795_420_800_000
DUE_MS = NOW_MS + 180_000


def put(deployment: Deployment, region: str, name: str, **values: int) -> None:
    """A record, as each region has it: moto replicates nothing."""
    for one in (PRIMARY, FAILOVER) if region == "both" else (region,):
        assert CoordinationRecords(deployment, one).write(name, None, values)


@pytest.fixture
def watched(deployment: Deployment) -> Deployment:
    """A stack that watches for a heartbeat and its regions' synthetic alerts."""
    for region in (PRIMARY, FAILOVER):
        things = {"heartbeat:watchdog": 120, f"synthetic:{PRIMARY}": 900, "heartbeat:job": 3_600}
        every_s = {f"{key}#every_s": seconds for key, seconds in things.items()}
        since = dict.fromkeys(things, NOW_MS - 86_400_000)
        put(deployment, "both", watch_record(region), looked_ms=NOW_MS, slot=1, **every_s, **since)
    put(deployment, "both", heartbeat_record(FAILOVER, "watchdog"), seen_ms=NOW_MS)
    put(deployment, "both", synthetic_record(PRIMARY), arrived_ms=NOW_MS - 3_600_000)
    put(deployment, "both", absence_record("heartbeat:job"), told=1, seen_ms=0)
    return deployment


def test_each_thing_is_shown_with_when_it_was_there_and_is_due(watched: Deployment) -> None:
    """By the newest of both regions; what is due and was not told yet is late."""
    found = {one.what: one for one in read_expected(watched, now_ms=NOW_MS)}
    assert list(found) == ["heartbeat:job", "heartbeat:watchdog", f"synthetic:{PRIMARY}"]
    assert found["heartbeat:watchdog"] == Expected(
        "heartbeat:watchdog", 120, {PRIMARY: 0, FAILOVER: NOW_MS}, DUE_MS, "ok"
    )
    assert found["heartbeat:job"].state == "missing"
    assert found[f"synthetic:{PRIMARY}"].seen_ms == {PRIMARY: NOW_MS - 3_600_000}
    assert found[f"synthetic:{PRIMARY}"].state == "late"


def test_a_lost_region_is_read_of_in_the_other(watched: Deployment) -> None:
    """Its records are there too; without any region nothing is known."""
    before = read_expected(watched, now_ms=NOW_MS)
    table = watched.coordination_table
    watched.clients.client("dynamodb", PRIMARY).delete_table(TableName=table)
    assert read_expected(watched, now_ms=NOW_MS) == before
    watched.clients.client("dynamodb", FAILOVER).delete_table(TableName=table)
    with pytest.raises(CoordinationUnreachableError):
        read_expected(watched, now_ms=NOW_MS)


def test_what_only_a_lost_region_may_know_is_unknown(
    watched: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under an eventual ledger its last records may not have come over; under a strong one they have."""
    assert isinstance(watched.clients, LossyClients)
    watched.clients.lost = {PRIMARY}
    strong = {one.what: one for one in read_expected(watched, now_ms=NOW_MS)}
    assert (strong[f"synthetic:{PRIMARY}"].state, strong[f"synthetic:{PRIMARY}"].unsure_in) == ("late", ())
    eventual = replace(watched, ledger_consistency="eventual")
    found = {one.what: one for one in read_expected(eventual, now_ms=NOW_MS)}
    assert found[f"synthetic:{PRIMARY}"].state == "unknown"
    assert found["heartbeat:watchdog"].state == "ok"
    assert found["heartbeat:job"].state == "missing"  # people were told
    assert {one.unsure_in for one in found.values()} == {(PRIMARY,)}
    line = f"{PRIMARY} did not answer; {FAILOVER} did, and was asked instead\n"
    assert capsys.readouterr().err == line * 2


def test_a_stack_that_expects_nothing_shows_nothing(deployment: Deployment) -> None:
    """No heartbeats, and no synthetic alerts."""
    assert read_expected(deployment, now_ms=NOW_MS) == []
