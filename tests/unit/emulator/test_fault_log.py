"""The log of faults that fired: processes write it together, and any of them may be killed as it writes."""

from pathlib import Path

from emulator.fault_log import TORN, FaultLog, FiredFault


def fire(path: Path, *what: str) -> bytes:
    """Append an entry of each, as one process; return what is in the file."""
    log = FaultLog(path)
    for name in what:
        log.add(service="lambda", kind="error", region="us-east-1", what=name)
    log.close()
    return path.read_bytes()


def entries_of(path: Path) -> tuple[list[str], list[FiredFault]]:
    """What fired, and what cannot be read."""
    log = FaultLog(path)
    entries = log.entries()
    log.close()
    return (
        [entry.what for entry in entries if entry.service != TORN],
        [entry for entry in entries if entry.service == TORN],
    )


def test_a_log_cut_at_any_byte_is_read_and_written_on(tmp_path: Path) -> None:
    """What is torn is named in its place, and the next process loses nothing to it."""
    path = tmp_path / "faults.jsonl"
    content = fire(path, "first", "second")
    ends = {content.index(b"\n"): 1, len(content) - 1: 2}
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = ["first", "second"][: sum(cut >= end for end in ends)]
        torn = cut != 0 and cut not in {at for end in ends for at in (end, end + 1)}
        assert len(entries_of(path)[1]) == torn, cut
        fire(path, "third")
        fired, unread = entries_of(path)
        assert (fired, len(unread)) == ([*whole, "third"], torn), cut
        assert all(entry.what.startswith(f"line {len(whole) + 1}: ") for entry in unread)


def test_a_process_that_was_killed_tears_no_entry_of_the_others(tmp_path: Path) -> None:
    """They have the file open already."""
    path = tmp_path / "faults.jsonl"
    log = FaultLog(path)
    with path.open("ab") as other:
        other.write(b'{"at_ms": 5, "ser')
    log.add(service="sqs", kind="error", region=None, what="a queue")
    log.close()
    assert entries_of(path)[0] == ["a queue"]
