"""The sender against a real HTTP server: what it retries, where, and what it writes down."""

import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clients.receipts import BodyReceipt, Member, ReceiptsFile, Tells, Unread, read_receipts, scan_receipts
from clients.sender import Sender, Webhook
from tests.fakes.loop_thread import LoopThread
from topology.alerts import FaultState

Answer = Callable[[], web.Response]
NOWHERE = "http://127.0.0.1:1"
ACCEPTED = {"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}


def accepted() -> web.Response:
    """A 202 with one alert."""
    return web.json_response(ACCEPTED, status=202)


def send(
    first: Answer | None,
    second: Answer,
    path: Path,
    body: Mapping[str, object] | None = None,
    tells: Sequence[Tells] = (),
) -> tuple[Sender, list[tuple[str, str | None]]]:
    """Post once; None as `first` is a region where nothing listens."""
    seen: list[tuple[str, str | None]] = []

    def handler(region: str, answer: Answer) -> Callable[[web.Request], Coroutine[Any, Any, web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            seen.append((region, request.headers.get("x-api-key")))
            return answer()

        return handle

    app = web.Application()
    app.router.add_post("/east", handler("east", first or accepted))
    app.router.add_post("/west", handler("west", second))
    loop_thread = LoopThread()
    try:
        url = loop_thread.serve(app)
        webhooks = (
            Webhook("east", f"{url if first else NOWHERE}/east", "key-east"),
            Webhook("west", f"{url}/west", "key-west"),
        )
        with ReceiptsFile(path) as receipts:
            sender = Sender(receipts)
            sender.post(body or {"title": "x"}, webhooks, tells)
            sender.close()
    finally:
        loop_thread.stop()
    return sender, seen


def test_an_accepted_post_leaves_a_receipt_with_its_region(tmp_path: Path) -> None:
    """The receipt names the alert and who promised it."""
    sender, seen = send(accepted, accepted, tmp_path / "r")
    assert seen == [("east", "key-east")]
    assert [(r.alert_id, r.status, r.region) for r in read_receipts(tmp_path / "r")] == [
        ("a1", "RECEIVED", "east")
    ]
    assert sender.tally.accepted == 1


def test_a_region_that_does_not_answer_is_left_for_the_other(tmp_path: Path) -> None:
    """A refused connection is retried on the other region at once, with that region's key."""
    sender, seen = send(None, accepted, tmp_path / "r")
    assert seen == [("west", "key-west")]
    assert sender.tally.accepted_by_region == {"west": 1}
    assert sender.tally.retries == 1


def test_overload_is_retried_and_a_refusal_is_not(tmp_path: Path) -> None:
    """503 and 429 promise nothing and may be retried; a 400 would be refused for ever."""
    answers = iter([web.Response(status=503), web.Response(status=429)])
    retried, seen = send(lambda: next(answers, accepted()), lambda: next(answers, accepted()), tmp_path / "a")
    assert [region for region, _ in seen] == ["east", "west", "east"]
    assert retried.tally.accepted == 1
    refused, seen = send(lambda: web.Response(status=400), accepted, tmp_path / "b")
    assert [region for region, _ in seen] == ["east"]
    assert refused.tally.refused == {400: 1}
    assert list(read_receipts(tmp_path / "b")) == []


GROUP = {"receiver": "x", "alerts": [{"labels": {"n": str(n)}} for n in range(3)]}
TELLS = [Tells(f"disk {n}", FaultState.FIRING) for n in range(3)]


def receipt_of(path: Path, answer: Mapping[str, object]) -> BodyReceipt:
    """What the sender writes of a group of three that is answered so."""
    send(lambda: web.json_response(answer, status=202), accepted, path, GROUP, TELLS)
    [receipt] = scan_receipts(path)
    assert isinstance(receipt, BodyReceipt)
    return receipt


def test_a_receipt_says_what_was_answered_of_each_member(tmp_path: Path) -> None:
    """By its place, with what the sender knows of it and what the answer says; by the hash, of which body."""
    answered = {"alert_id": "a2", "status": "RECEIVED", "index": 2, "fault_key": "f" * 32, "state": "firing"}
    about = {"alert_id": "a3", "status": "RECEIVED", "index": 3}
    refused = {"index": 0, "error": "missing_field", "field": "title", "hint": "name it"}
    receipt = receipt_of(tmp_path / "r", {"alerts": [answered, about], "refused": [refused]})
    assert receipt.body_hash == hashlib.sha256(json.dumps(GROUP).encode()).hexdigest()
    assert receipt.members == (
        Member(index=2, alert_id="a2", status="RECEIVED", fault_key="f" * 32, state="firing", tells=TELLS[2]),
        Member(index=3, alert_id="a3", status="RECEIVED"),
        Member(index=0, refused="missing_field", tells=TELLS[0]),
        Member(index=1, tells=TELLS[1]),
    )
    assert (receipt.sent, list(receipt.lost)) == (3, [1])


def test_answers_without_a_place_are_in_the_order_of_the_members_that_were_not_refused(
    tmp_path: Path,
) -> None:
    """As the releases before answered; the alert about refused members comes last."""
    alerts = [{"alert_id": f"a{n}", "status": "RECEIVED"} for n in range(3)]
    receipt = receipt_of(tmp_path / "r", {"alerts": alerts, "refused": [{"index": 1, "error": "x"}]})
    assert {member.index: member.alert_id for member in receipt.members} == {
        0: "a0", 1: None, 2: "a1", 3: "a2",
    }  # fmt: skip
    assert list(receipt.lost) == []


@pytest.mark.parametrize(("count", "lost"), [(2, []), (1, [2])])
def test_members_that_are_refused_without_their_place_are_not_lost(
    tmp_path: Path, count: int, lost: list[int]
) -> None:
    """A long answer names the first, and counts all."""
    alerts = [{"alert_id": "a0", "status": "RECEIVED", "index": 0}]
    refused = [{"index": 1, "error": "too_many_alerts"}]
    receipt = receipt_of(tmp_path / "r", {"alerts": alerts, "refused": refused, "refused_count": count})
    assert (receipt.refused, list(receipt.lost)) == ({1, 2} - set(lost), lost)


def test_a_group_that_is_answered_without_alerts_is_lost(tmp_path: Path) -> None:
    """An answer that names nothing accounts for nothing."""
    assert list(receipt_of(tmp_path / "r", {"alerts": []}).lost) == [0, 1, 2]


@pytest.mark.parametrize(
    "page",
    [
        b"<html>Accepted</html>",
        b"",
        b"\xff",
        b"[" * 20_000,
        b"[]",
        b'{"alerts": {}}',
        b'{"alerts": [{"alert_id": 7, "status": "RECEIVED"}]}',
        b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED", "index": -1}]}',
    ],
)
def test_a_202_that_is_not_receptions_is_kept_as_unknown(tmp_path: Path, page: bytes) -> None:
    """A proxy answered: nobody can say what became of the members, and the sender goes on."""
    path = tmp_path / "r"
    sender, _ = send(lambda: web.Response(status=202, body=page), accepted, path, GROUP)
    assert (sender.tally.unnamed, sender.tally.accepted) == (1, 0)
    [unread] = scan_receipts(path)
    assert isinstance(unread, Unread)
    assert "answered 202 by east, with a text that names no alerts" in unread.why
    assert "all 3 members is unknown" in unread.why
    send(accepted, accepted, path)
    assert [receipt.alert_id for receipt in read_receipts(path)] == ["a1"]


def test_a_receipt_has_the_time_of_the_first_try(tmp_path: Path) -> None:
    """Which may have been taken, unseen: what it told is no older than that."""
    path = tmp_path / "r"
    send(None, accepted, path)
    [receipt] = scan_receipts(path)
    assert isinstance(receipt, BodyReceipt)
    assert receipt.first_sent_at_ms <= receipt.sent_at_ms <= receipt.accepted_at_ms
