"""Receipts are the sender's own record: whole lines, and a broken file is named."""

from pathlib import Path

import pytest

from clients.receipts import Receipt, ReceiptsError, ReceiptsFile, read_receipts

FIRST = Receipt("a1", "RECEIVED", "us-east-1", 10, 20)
SECOND = Receipt("a1.c", "SUPPRESSED", "us-west-2", 30, 40)


def test_receipts_come_back_as_they_were_added(tmp_path: Path) -> None:
    """A second sender appends to the first one's file."""
    path = tmp_path / "deep" / "receipts.jsonl"
    for receipt in (FIRST, SECOND):
        with ReceiptsFile(path) as out:
            out.add(receipt)
    assert list(read_receipts(path)) == [FIRST, SECOND]


def test_a_receipt_is_on_disk_before_the_file_is_closed(tmp_path: Path) -> None:
    """A sender that is killed loses no promise it was given."""
    path = tmp_path / "receipts.jsonl"
    with ReceiptsFile(path) as out:
        out.add(FIRST)
        assert list(read_receipts(path)) == [FIRST]


@pytest.mark.parametrize("line", ["{", "[]", '{"alert_id": "a1"}', '{"a": 1}'])
def test_a_line_that_is_no_receipt_is_named(tmp_path: Path, line: str) -> None:
    """An audit over half a file would say too little is missing."""
    path = tmp_path / "receipts.jsonl"
    with ReceiptsFile(path) as out:
        out.add(FIRST)
    with path.open("a") as out_text:
        out_text.write(line + "\n")
    with pytest.raises(ReceiptsError, match="line 2 is not a receipt"):
        list(read_receipts(path))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A wrong file is one line, not a traceback."""
    path = tmp_path / "receipts.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReceiptsError, match="line 1 is not a receipt"):
        list(read_receipts(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No receipts is not the same as none accepted."""
    with pytest.raises(ReceiptsError, match=r"nowhere\.jsonl cannot be read"):
        list(read_receipts(tmp_path / "nowhere.jsonl"))


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    """Before anything is sent."""
    with pytest.raises(ReceiptsError, match="cannot be written: Is a directory; name another file"):
        ReceiptsFile(tmp_path)
