"""The ledger and the cache on DynamoDB's own rules, by moto, with the tables of the topology."""

import json
import socket
from typing import Any

import boto3
import msgspec
import pytest
from botocore.stub import Stubber
from msgspec.structs import replace

from clients.analysis_cache import evicted
from handlers.adapters.aws import clients
from handlers.adapters.aws.dynamodb import DynamoAnalysisCache, DynamoLedger
from handlers.adapters.aws.items import item_of
from handlers.domain.alert import Alert
from handlers.domain.moves import Actor
from handlers.domain.ports import CacheUnavailableError, LedgerUnavailableError, MalformedRowError
from handlers.domain.states import (
    IllegalMoveError,
    analyzed,
    claimed,
    deferred,
    notified,
    parked,
    promoted,
    recovered,
    suppressed,
)
from tests.fakes.services import ANALYSIS
from tests.unit.handlers.builders import REGION, World, body, row
from topology.alerts import DuplicateCause, Severity, Status, open_key, parked_key


@pytest.fixture
def ledger(tables: dict[str, str]) -> DynamoLedger:
    """The ledger on an empty table."""
    return DynamoLedger(clients.client("dynamodb", REGION), tables["alerts"])


def stored(alert_id: str) -> dict[str, Any]:
    """The raw item."""
    return boto3.client("dynamodb", region_name=REGION).get_item(
        TableName="alerts", Key={"alert_id": {"S": alert_id}}
    )["Item"]


def seed(*alerts: Alert) -> None:
    """Store rows as they are, whatever moves led there."""
    client = boto3.client("dynamodb", region_name=REGION)
    for alert in alerts:
        plain = {name: part for name, part in msgspec.to_builtins(alert).items() if part is not None}
        client.put_item(TableName="alerts", Item=item_of(plain))


def test_row_comes_back_as_it_was(ledger: DynamoLedger) -> None:
    """Every attribute survives the round trip, with its type."""
    (alert,) = World().accept(body(labels={"team": "pay"}, host="h", link="https://a.example/"))
    assert ledger.create(alert, actor=Actor.RECEPTION)
    assert ledger.get(alert.alert_id) == alert


def test_stored_types_are_those_of_the_contract(ledger: DynamoLedger) -> None:
    """Numbers are N, labels M, actions L; what the source did not give is absent."""
    alert = row(labels={"team": "pay"})
    ledger.create(alert, actor=Actor.RECEPTION)
    item = stored("a1")
    assert item["timestamp"] == {"N": "1795420800"}
    assert item["severity"] == {"S": "HIGH"}
    assert item["labels"] == {"M": {"team": {"S": "pay"}}}
    assert item["raw_truncated"] == {"BOOL": False}
    assert not {"component", "lease_token", "expires_at", "parent_id"} & item.keys()


def test_second_row_under_an_id_is_not_written(ledger: DynamoLedger) -> None:
    """The first stands."""
    first, second = row(), row(title="other")
    assert ledger.create(first, actor=Actor.RECEPTION)
    assert not ledger.create(second, actor=Actor.RECEPTION)
    assert ledger.get("a1") == first


def test_whole_life_of_an_alert(ledger: DynamoLedger) -> None:
    """Claim, analysis, deferral, recovery and notification each leave exactly the row they describe."""
    alert = row()
    ledger.create(alert, actor=Actor.RECEPTION)
    steps: list[tuple[Actor, Alert]] = []
    claim = claimed(alert, token="t1", due_at=50)
    steps.append((Actor.ANALYSIS, claim))
    steps.append((Actor.ANALYSIS, analyzed(claim, ANALYSIS, due_at=60)))
    steps.append((Actor.DISTRIBUTION, claimed(steps[-1][1], token="t2", due_at=70)))
    steps.append((Actor.DISTRIBUTION, deferred(steps[-1][1], not_before=80, lease_s=9, attempts=1)))
    steps.append((Actor.RECOVERY, recovered(steps[-1][1], due_at=99)))
    steps.append((Actor.DISTRIBUTION, claimed(steps[-1][1], token="t3", due_at=120)))
    steps.append((Actor.DISTRIBUTION, notified(steps[-1][1], at_ms=110_000)))
    before = alert
    for actor, after in steps:
        assert ledger.replace(before, after, actor=actor)
        assert ledger.get("a1") == after
        before = after
    assert not {"open_key", "due_at", "lease_token", "not_before"} & stored("a1").keys()


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"lease_token": "other"},
        {"due_at": 1},
        {"attempts": 3},
        {"not_before": 5},
        {"status": Status.ANALYZED},
    ],
    ids=lambda change: next(iter(change)),
)
def test_row_that_somebody_moved_is_not_replaced(ledger: DynamoLedger, meanwhile: dict[str, Any]) -> None:
    """Any sign of another worker makes the write lose."""
    seen = row()
    ledger.create(replace(seen, **meanwhile), actor=Actor.RECEPTION) if "status" not in meanwhile else None
    if "status" in meanwhile:
        ledger.create(seen, actor=Actor.RECEPTION)
        held = claimed(seen, token="t", due_at=9)
        assert ledger.replace(seen, held, actor=Actor.ANALYSIS)
        assert ledger.replace(held, analyzed(held, ANALYSIS, due_at=seen.due_at or 0), actor=Actor.ANALYSIS)
    before = ledger.get("a1")
    assert not ledger.replace(seen, claimed(seen, token="mine", due_at=99), actor=Actor.ANALYSIS)
    assert ledger.get("a1") == before


def test_missing_row_is_not_made_by_replacing(ledger: DynamoLedger) -> None:
    """A deleted row stays deleted."""
    assert not ledger.replace(row(), claimed(row(), token="t", due_at=9), actor=Actor.ANALYSIS)
    assert ledger.get("a1") is None


def test_illegal_move_is_not_sent(ledger: DynamoLedger) -> None:
    """The state machine stands before the table."""
    ledger.create(row(), actor=Actor.RECEPTION)
    with pytest.raises(IllegalMoveError):
        ledger.replace(row(), notified(row(), at_ms=1), actor=Actor.ANALYSIS)
    assert ledger.get("a1") == row()


def test_attributes_of_a_newer_version_stay(ledger: DynamoLedger) -> None:
    """A handler that is older than the row touches only what it knows."""
    ledger.create(row(), actor=Actor.RECEPTION)
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": "a1"}},
        UpdateExpression="SET later_attribute = :e",
        ExpressionAttributeValues={":e": {"N": "7"}},
    )
    seen = ledger.get("a1")
    assert seen is not None
    assert ledger.replace(seen, claimed(seen, token="t", due_at=9), actor=Actor.ANALYSIS)
    assert stored("a1")["later_attribute"] == {"N": "7"}


def test_row_of_an_older_version_loads_and_moves(ledger: DynamoLedger) -> None:
    """What it lacks has its default, and a write does not make it up."""
    alert = row()
    ledger.create(alert, actor=Actor.RECEPTION)
    boto3.client("dynamodb", region_name=REGION).update_item(
        TableName="alerts",
        Key={"alert_id": {"S": "a1"}},
        UpdateExpression="REMOVE epoch, possible_duplicates",
    )
    assert ledger.get("a1") == alert
    assert ledger.replace(alert, claimed(alert, token="t", due_at=9), actor=Actor.ANALYSIS)
    assert not {"epoch", "possible_duplicates"} & stored("a1").keys()


def test_possible_duplicates_are_kept_empty_and_counted(ledger: DynamoLedger) -> None:
    """An empty map is a map; a count comes back as a whole number."""
    alert = row(status=Status.ANALYZED)
    seed(alert)
    assert stored("a1")["possible_duplicates"] == {"M": {}}
    held = claimed(alert, token="t", due_at=9)
    back = deferred(
        held, not_before=20, lease_s=9, attempts=1, duplicate_cause=DuplicateCause.OUTCOME_UNKNOWN
    )
    assert ledger.replace(alert, held, actor=Actor.DISTRIBUTION)
    assert ledger.replace(held, back, actor=Actor.DISTRIBUTION)
    assert stored("a1")["possible_duplicates"] == {"M": {"outcome_unknown": {"N": "1"}}}
    assert ledger.get("a1") == back


def test_digest_and_slack_reference_are_kept(ledger: DynamoLedger) -> None:
    """What an audit and a follow-up need later."""
    held = claimed(row(status=Status.ANALYZED), token="t", due_at=9)
    seed(held)
    done = notified(held, at_ms=1_000, digest_id="d1", slack_ref="C1/2.3")
    assert ledger.replace(held, done, actor=Actor.DISTRIBUTION)
    assert (stored("a1")["digest_id"], stored("a1")["slack_ref"]) == ({"S": "d1"}, {"S": "C1/2.3"})
    assert ledger.get("a1") == done


def test_overdue_lists_one_key_oldest_first(ledger: DynamoLedger) -> None:
    """Only what is open, in the key, and due; the second it is due counts."""
    for alert_id, due_at in (("late", 10), ("later", 5), ("now", 100), ("early", 101)):
        ledger.create(replace(row(alert_id), due_at=due_at), actor=Actor.RECEPTION)
    ledger.create(replace(row("low", severity="LOW"), due_at=1), actor=Actor.RECEPTION)
    seed(parked(claimed(row("rest"), token="t", due_at=1), reason="r", due_at=1))
    key = open_key(REGION, Severity.HIGH)
    assert ledger.overdue(key, now_s=100, limit=10) == ["later", "late", "now"]
    assert ledger.overdue(key, now_s=100, limit=2) == ["later", "late"]
    assert ledger.overdue(key, now_s=100, limit=2, since_s=100) == ["now"]


def test_waiting_lists_what_is_analysed_and_free_first_due_first(ledger: DynamoLedger) -> None:
    """Not what still waits for its analysis, nor what somebody works on, nor another key."""
    ready = row(status=Status.ANALYZED)
    seed(
        *(
            replace(ready, alert_id=alert_id, due_at=due_at)
            for alert_id, due_at in (("b", 9), ("a", 5), ("c", 7))
        ),
        replace(claimed(ready, token="t", due_at=1), alert_id="held"),
        replace(row(), alert_id="received", due_at=1),
        row("low", severity="LOW", status=Status.ANALYZED),
    )
    key = open_key(REGION, Severity.HIGH)
    assert ledger.waiting(key, until_s=2_000_000_000, limit=10) == ["a", "c", "b"]
    assert ledger.waiting(key, until_s=2_000_000_000, limit=2) == ["a", "c"]
    assert ledger.waiting("nowhere#HIGH", until_s=2_000_000_000, limit=2) == []


def test_count_counts_a_key_to_its_limit(ledger: DynamoLedger) -> None:
    """PARKED alerts lie under a key of their own."""
    gone = parked(claimed(row(), token="t", due_at=1), reason="r", due_at=1)
    seed(row("open"), *(replace(gone, alert_id=f"p{number}") for number in range(3)))
    assert ledger.count(parked_key(REGION), limit=10) == 3
    assert ledger.count(parked_key(REGION), limit=2) == 2
    assert ledger.count(parked_key("nowhere"), limit=2) == 0


def test_suppressed_children_are_those_that_still_are(ledger: DynamoLedger) -> None:
    """Not the parent, nor one that was promoted, nor another family's."""
    child = suppressed(replace(row(), parent_id="a1"), due_at=1)
    seed(
        row("a1"),
        *(replace(child, alert_id=alert_id) for alert_id in ("a1.2", "a1.1")),
        replace(promoted(child, due_at=9), alert_id="a1.0"),
        replace(child, alert_id="b1.1", parent_id="b1"),
    )
    assert ledger.suppressed_children("a1", limit=10) == ["a1.1", "a1.2"]
    assert ledger.suppressed_children("a1", limit=1) == ["a1.1"]


def test_children_are_counted_whatever_became_of_them(ledger: DynamoLedger) -> None:
    """A fold tells of one that was promoted, too."""
    child = suppressed(replace(row(), parent_id="a1", folded=True), due_at=None)
    seed(
        row("a1"),
        *(replace(child, alert_id=alert_id) for alert_id in ("a1.2", "a1.1")),
        replace(promoted(child, due_at=9), alert_id="a1.0"),
        replace(child, alert_id="b1.1", parent_id="b1"),
    )
    assert ledger.count_children("a1", limit=10) == 3
    assert ledger.count_children("a1", limit=2) == 2


def paged(*pages: dict[str, Any]) -> tuple[DynamoLedger, Stubber]:
    """A ledger whose queries are answered by these pages."""
    client = clients.client("dynamodb", REGION, attempts=1)
    stub = Stubber(client)
    for page in pages:
        stub.add_response("query", page)
    return DynamoLedger(client, "alerts"), stub


def ids(*alert_ids: str, more: bool = True) -> dict[str, Any]:
    """One page of a query."""
    items = [{"alert_id": {"S": alert_id}} for alert_id in alert_ids]
    return {"Items": items, "Count": len(items)} | (
        {"LastEvaluatedKey": {"alert_id": {"S": "last"}}} if more else {}
    )


def test_page_that_the_filter_left_empty_is_not_the_end(aws: None) -> None:  # noqa: ARG001 - credentials
    """DynamoDB's limit counts rows before the filter."""
    ledger, stub = paged(ids(), ids("a"), ids("b", "c"))
    with stub:
        assert ledger.waiting("l", until_s=2_000_000_000, limit=2) == ["a", "b"]
    stub.assert_no_pending_responses()


def test_query_ends_with_its_last_page_and_after_a_few(aws: None) -> None:  # noqa: ARG001 - credentials
    """However many rows of other kinds lie before, the time that a query takes is bounded."""
    ledger, stub = paged(ids("a"), ids(more=False))
    with stub:
        assert ledger.suppressed_children("p", limit=9) == ["a"]
    ledger, stub = paged(*[ids()] * 4)
    with stub:
        assert ledger.waiting("l", until_s=2_000_000_000, limit=1) == []
    stub.assert_no_pending_responses()


def test_count_goes_on_over_pages(aws: None) -> None:  # noqa: ARG001 - credentials
    """A megabyte of index rows is a page."""
    ledger, stub = paged(ids("a", "b"), ids("c", more=False))
    with stub:
        assert ledger.count("l", limit=100) == 3


@pytest.mark.parametrize("number", ["1.5", "1E+40", "NaN"])
def test_number_that_is_not_whole_is_malformed(aws: None, number: str) -> None:  # noqa: ARG001 - credentials
    """Nobody of ours writes one; a person with a console might."""
    item = item_of({"alert_id": "a1", "status": "RECEIVED"}) | {"due_at": {"N": number}}
    client = clients.client("dynamodb", REGION, attempts=1)
    with Stubber(client) as stub:
        stub.add_response("get_item", {"Item": item})
        with pytest.raises(MalformedRowError, match="row of a1 is malformed"):
            DynamoLedger(client, "alerts").get("a1")


def test_malformed_row_is_said_to_be_so(ledger: DynamoLedger) -> None:
    """Whoever edits a row by hand learns what is wrong with it."""
    boto3.client("dynamodb", region_name=REGION).put_item(
        TableName="alerts", Item={"alert_id": {"S": "a1"}, "status": {"S": "ODD"}}
    )
    with pytest.raises(MalformedRowError, match="row of a1 is malformed"):
        ledger.get("a1")


def test_missing_table_is_unavailable(aws: None) -> None:  # noqa: ARG001 - moto must run
    """What cannot be written is never promised."""
    ledger = DynamoLedger(clients.client("dynamodb", REGION), "nowhere")
    for call in (
        ledger.probe,
        lambda: ledger.get("a1"),
        lambda: ledger.create(row(), actor=Actor.RECEPTION),
        lambda: ledger.overdue("l", now_s=1, limit=1),
        lambda: ledger.waiting("l", until_s=2_000_000_000, limit=1),
        lambda: ledger.count("l", limit=1),
        lambda: ledger.suppressed_children("a1", limit=1),
    ):
        with pytest.raises(LedgerUnavailableError):
            call()


def test_unreachable_endpoint_is_unavailable(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - credentials
    """A refused connection is no crash."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free.getsockname()[1]}")
    ledger = DynamoLedger(clients.client("dynamodb", REGION, attempts=1), "alerts")
    with pytest.raises(LedgerUnavailableError):
        ledger.probe()


def conflict(times: int) -> tuple[DynamoLedger, Stubber]:
    """A ledger that meets another region's writes so many times."""
    client = clients.client("dynamodb", REGION, attempts=1)
    stub = Stubber(client)
    for _ in range(times):
        stub.add_client_error("put_item", "ReplicatedWriteConflictException")
    return DynamoLedger(client, "alerts"), stub


def test_conflict_between_regions_is_tried_again(aws: None) -> None:  # noqa: ARG001 - credentials
    """Two regions that write one item at once are told to try again, and do."""
    ledger, stub = conflict(2)
    stub.add_response("put_item", {})
    with stub:
        assert ledger.create(row(), actor=Actor.RECEPTION)
    stub.assert_no_pending_responses()


def test_endless_conflict_is_unavailable(aws: None) -> None:  # noqa: ARG001 - credentials
    """The tries are bounded."""
    ledger, stub = conflict(3)
    with stub, pytest.raises(LedgerUnavailableError, match="other region"):
        ledger.create(row(), actor=Actor.RECEPTION)


@pytest.fixture
def cache(tables: dict[str, str]) -> DynamoAnalysisCache:
    """The cache on an empty table."""
    return DynamoAnalysisCache(clients.client("dynamodb", REGION), tables["analysis-cache"])


def test_analysis_comes_back_until_it_expires(cache: DynamoAnalysisCache) -> None:
    """TTL deletes late, so the expiry is read too."""
    cache.put("s", ANALYSIS, asked_ms=1, expires_at=100)
    assert cache.get("s", now_s=99) == ANALYSIS
    assert cache.get("s", now_s=100) is None
    assert cache.get("other", now_s=1) is None


@pytest.mark.parametrize(("asked_ms", "kept"), [(4_999, False), (5_000, True), (9_000, True)])
def test_an_answer_asked_for_before_an_eviction_is_not_cached(
    cache: DynamoAnalysisCache, asked_ms: int, *, kept: bool
) -> None:
    """The eviction is an entry without an analysis, which is a miss, and to which older answers lose."""
    cache.put("s", ANALYSIS, asked_ms=1_000, expires_at=100)
    boto3.client("dynamodb", region_name=REGION).put_item(
        TableName="analysis-cache", Item=item_of(evicted("s", at_ms=0))
    )
    assert cache.get("s", now_s=1) is None
    cache.put("s", ANALYSIS, asked_ms=asked_ms, expires_at=100)
    assert cache.get("s", now_s=1) == (ANALYSIS if kept else None)


@pytest.mark.parametrize(
    "analysis",
    [{"S": "text"}, {"M": {}}, {"M": {"summary": {"N": "1"}}}, {"N": "1.5"}],
    ids=["text", "empty", "wrong type", "not whole"],
)
def test_malformed_cache_entry_is_a_miss(cache: DynamoAnalysisCache, analysis: dict[str, Any]) -> None:
    """What was written by somebody else costs a call, not an alert."""
    boto3.client("dynamodb", region_name=REGION).put_item(
        TableName="analysis-cache",
        Item={"error_signature": {"S": "s"}, "expires_at": {"N": "100"}, "analysis": analysis},
    )
    assert cache.get("s", now_s=1) is None


def test_failing_cache_is_unavailable(aws: None) -> None:  # noqa: ARG001 - moto must run
    """Both ways."""
    cache = DynamoAnalysisCache(clients.client("dynamodb", REGION), "nowhere")
    with pytest.raises(CacheUnavailableError):
        cache.get("s", now_s=1)
    with pytest.raises(CacheUnavailableError):
        cache.put("s", ANALYSIS, asked_ms=1, expires_at=1)


def test_largest_row_is_taken_by_dynamodb(ledger: DynamoLedger) -> None:
    """A body at its size limit, made of what grows most, still fits an item after its analysis."""
    labels = {f"{n:03}" + "é" * 250: "é" * 250 for n in range(64)}
    big = json.loads(body(message="é" * 30_000, labels=labels, pad="x" * 100_000))
    (alert,) = World().accept(json.dumps(big, ensure_ascii=False).encode())
    assert ledger.create(alert, actor=Actor.RECEPTION)
    held = claimed(alert, token="t", due_at=1)
    long = "é" * 2_000
    analysis = replace(ANALYSIS, summary=long, probable_cause=long, actions=(long,) * 8)
    assert ledger.replace(alert, held, actor=Actor.ANALYSIS)
    assert ledger.replace(held, analyzed(held, analysis, due_at=1), actor=Actor.ANALYSIS)


def test_expired_rows_are_found_oldest_first_and_deleted_if_they_still_are(ledger: DynamoLedger) -> None:
    """By severity, and never a row whose expiry has changed or that has none."""
    now_s = 1_800_000_000
    for number in range(3):
        at_ms = (now_s - 91 * 86_400 + number) * 1000
        assert ledger.create(suppressed(row(f"a{number}", at_ms=at_ms), due_at=1), actor=Actor.RECEPTION)
    assert ledger.create(row("open", at_ms=1_000), actor=Actor.RECEPTION)
    found = ledger.expired(Severity.HIGH, now_s=now_s, limit=2)
    assert [expired.alert_id for expired in found] == ["a0", "a1"]
    assert list(ledger.expired(Severity.LOW, now_s=now_s, limit=2)) == []
    assert not ledger.delete_expired(replace(found[0], expires_at=5))
    assert ledger.delete_expired(found[0])
    assert not ledger.delete_expired(found[0])
    assert ledger.get("a0") is None
    assert ledger.get("a1") is not None
