"""Receipts are the sender's own record: what is whole is read, what is torn is named and costs no other."""

from pathlib import Path

import pytest

from clients.lines import LINE_BYTES_MAX, LinesFile
from clients.receipts import (
    BodyReceipt,
    Member,
    Receipt,
    ReceiptsError,
    ReceiptsFile,
    Tells,
    Unread,
    read_receipts,
    scan_receipts,
)
from tests.fakes.receipts import body_of
from topology.alerts import FaultState

FIRST = Receipt("a1", "RECEIVED", "us-east-1", 10, 20)
SECOND = Receipt("a1.c", "SUPPRESSED", "us-west-2", 30, 40)


def test_receipts_come_back_as_they_were_added(tmp_path: Path) -> None:
    """A second sender appends to the first one's file."""
    path = tmp_path / "deep" / "receipts.jsonl"
    bodies = [
        body_of(Receipt("a1", "RECEIVED", "r", 10, 20, "f", "firing", 5, Tells("disk", FaultState.FIRING))),
        body_of(FIRST, SECOND, refused=(1,), sent=4),
        BodyReceipt(
            body_hash="c", region="us-east-1", first_sent_at_ms=1, sent_at_ms=2, accepted_at_ms=3, sent=1,
            members=(Member(index=0, tells=Tells("disk", FaultState.RESOLVED, 7)),),
        ),
    ]  # fmt: skip
    for body in bodies:
        with ReceiptsFile(path) as out:
            out.add(body)
    assert list(scan_receipts(path)) == bodies
    assert list(read_receipts(path)) == [alert for body in bodies for alert in body.alerts]


def test_of_a_body_each_member_is_answered_refused_or_lost() -> None:
    """What was sent is all three together; the alert about refused members is none of them."""
    body = body_of(FIRST, SECOND, refused=(1,), sent=4)
    assert (body.answered, body.refused, list(body.lost)) == ({0, 2}, {1}, [3])
    about = BodyReceipt(
        body_hash="c", region="r", first_sent_at_ms=1, sent_at_ms=1, accepted_at_ms=1, sent=1,
        members=(Member(index=0, refused="missing_field"), Member(index=1, alert_id="a9", status="RECEIVED")),
    )  # fmt: skip
    assert (about.answered, about.refused, list(about.lost)) == (set(), {0}, [])
    assert [alert.alert_id for alert in about.alerts] == ["a9"]


def test_receipts_of_single_alerts_are_read_beside_those_of_bodies(tmp_path: Path) -> None:
    """As older senders wrote them."""
    path = tmp_path / "receipts.jsonl"
    write(path, FIRST)
    with ReceiptsFile(path) as out:
        out.add(body_of(SECOND))
    assert [type(part) for part in scan_receipts(path)] == [Receipt, BodyReceipt]
    assert [receipt.alert_id for receipt in read_receipts(path)] == ["a1", "a1.c"]


def test_a_202_that_names_nothing_is_unread(tmp_path: Path) -> None:
    """When it came, by whom, and how many members may be lost."""
    path = tmp_path / "receipts.jsonl"
    nameless = BodyReceipt(
        body_hash="c", region="us-east-1", first_sent_at_ms=1, sent_at_ms=1, accepted_at_ms=3,
        sent=2, members=(), unnamed="with a page",
    )  # fmt: skip
    with ReceiptsFile(path) as out:
        out.add(nameless)
    [unread] = unread_of(path)
    assert (unread.where, unread.since_ms, unread.until_ms) == (f"{path} body c", 3, 3)
    assert unread.why == "answered 202 by us-east-1, with a page; what became of all 2 members is unknown"


def test_the_receipt_of_the_largest_body_is_one_line(tmp_path: Path) -> None:
    """A thousand alerts with the longest ids, and a fault and a state of each."""
    path = tmp_path / "receipts.jsonl"
    alert = Receipt(
        "a" + "0" * 41, "SUPPRESSED", "us-east-1", 1 << 41, 1 << 41, "f" * 32, "resolved", 1 << 41,
        Tells("d" * 100, FaultState.RESOLVED, 1 << 41),
    )  # fmt: skip
    body = body_of(*[alert] * 1_000)
    with ReceiptsFile(path) as out:
        out.add(body)
    assert list(scan_receipts(path)) == [body]
    assert path.stat().st_size < LINE_BYTES_MAX / 2


def test_a_receipt_is_on_disk_before_the_file_is_closed(tmp_path: Path) -> None:
    """A sender that is killed loses no promise it was given."""
    path = tmp_path / "receipts.jsonl"
    with ReceiptsFile(path) as out:
        out.add(body_of(FIRST))
        assert [receipt.alert_id for receipt in read_receipts(path)] == ["a1"]


def write(path: Path, *receipts: Receipt) -> bytes:
    """Append receipts of single alerts; return what is in the file."""
    with LinesFile(path) as out:
        for receipt in receipts:
            out.add(receipt)
    return path.read_bytes()


def unread_of(path: Path) -> list[Unread]:
    """What of a file is no receipt."""
    return [part for part in scan_receipts(path) if isinstance(part, Unread)]


GARBAGE = [
    b"{",
    b"[]",
    b'{"alert_id": "a1"}',
    b'{"a": 1}',
    b"\xff\xfe\x00",
    b"\0" * 4_096,
    b'{"x": ' + b"[" * 9_000,
]


@pytest.mark.parametrize("line", GARBAGE)
def test_a_line_that_is_no_receipt_is_named_and_the_others_are_read(tmp_path: Path, line: bytes) -> None:
    """With the time between the receipts around it, within which it was accepted."""
    path = tmp_path / "receipts.jsonl"
    path.write_bytes(write(path, FIRST) + line + b"\n")
    write(path, SECOND)
    before, unread, after = scan_receipts(path)
    assert (before, after) == (FIRST, SECOND)
    assert isinstance(unread, Unread)
    assert unread.where == f"{path} line 2"
    assert (unread.since_ms, unread.until_ms) == (FIRST.accepted_at_ms, SECOND.accepted_at_ms)
    assert unread.why.startswith("no whole receipt (")
    assert unread.why.isprintable()
    assert list(read_receipts(path)) == [FIRST, SECOND]


def test_a_file_cut_at_any_byte_keeps_its_whole_receipts_and_takes_others(tmp_path: Path) -> None:
    """The tail is named, and a sender that goes on loses no receipt to it."""
    path, third = tmp_path / "receipts.jsonl", Receipt("a3", "RECEIVED", "us-east-1", 50, 60)
    content = write(path, FIRST, SECOND)
    ends = [content.index(b"\n") + 1, len(content)]
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = [receipt for receipt, end in zip((FIRST, SECOND), ends, strict=True) if cut >= end - 1]
        torn = cut not in {0, *ends, *(end - 1 for end in ends)}
        assert list(read_receipts(path)) == whole, cut
        assert [part.where for part in unread_of(path)] == [f"{path} line {len(whole) + 1}"] * torn, cut
        write(path, third)
        assert list(read_receipts(path)) == [*whole, third], cut
        assert len(unread_of(path)) == torn, cut


def test_a_receipt_that_was_appended_to_a_torn_one_is_found(tmp_path: Path) -> None:
    """Files in which a sender went on behind the torn part, cut at any byte."""
    path = tmp_path / "receipts.jsonl"
    first, second = write(path, FIRST, SECOND).splitlines(keepends=True)
    for cut in range(1, len(first) - 1):
        path.write_bytes(first[:cut] + second)
        unread, receipt = scan_receipts(path)
        assert isinstance(unread, Unread)
        assert receipt == SECOND, cut


def test_torn_lines_in_a_row_are_one(tmp_path: Path) -> None:
    """A file of another kind is not a million problems; a line without an end is not held in memory."""
    path = tmp_path / "receipts.jsonl"
    path.write_bytes(b"x\n\ny\n" + b"z" * (3 * LINE_BYTES_MAX) + b"\nz\n")
    write(path, FIRST)
    [unread] = unread_of(path)
    assert unread.where == f"{path} lines 1 to 5"
    assert list(read_receipts(path)) == [FIRST]


def test_the_receipts_of_the_issue_are_read(tmp_path: Path) -> None:
    """Two whole ones; of the third, the id can still be read by a person."""
    path = tmp_path / "receipts.jsonl"
    ids = [f"a{number:032}" for number in range(3)]
    content = write(path, *(Receipt(alert_id, "RECEIVED", "us-east-1", 10, 20) for alert_id in ids))
    path.write_bytes(content[: content.rindex(b'":"RECEIVED"')] + b"[")
    assert [receipt.alert_id for receipt in read_receipts(path)] == ids[:2]
    [unread] = unread_of(path)
    assert ids[2] in unread.why


def test_a_full_disk_is_said_and_the_next_receipt_is_whole() -> None:
    """`/dev/full` takes nothing."""
    out = ReceiptsFile(Path("/dev/full"))
    with pytest.raises(ReceiptsError, match="No space left on device; the receipt of a1 is lost"):
        out.add(body_of(FIRST))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No receipts is not the same as none accepted."""
    with pytest.raises(ReceiptsError, match=r"nowhere\.jsonl cannot be read"):
        list(read_receipts(tmp_path / "nowhere.jsonl"))


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(ReceiptsError, match="cannot be written: Is a directory; name another file"):
        ReceiptsFile(tmp_path)


def test_member_at_no_place_of_the_body_accounts_for_none() -> None:
    """Nor does a count below zero: what is not named is lost."""
    receipt = BodyReceipt(
        body_hash="b",
        region="r",
        first_sent_at_ms=1,
        sent_at_ms=1,
        accepted_at_ms=2,
        sent=1,
        members=(Member(index=-1, alert_id="a1", status="RECEIVED"), Member(index=-1, refused="no_alerts")),
        more_refused=-1,
    )
    assert list(receipt.lost) == [0]
