"""Lines that are appended: whole ones are read whatever is torn beside them."""

import os
import threading
from pathlib import Path
from typing import Any

import msgspec

from clients.lines import LinesFile, TornLines, read_lines

DECODER = msgspec.json.Decoder(dict[str, Any])


def read(path: Path) -> list[dict[str, Any] | TornLines]:
    """All of a file."""
    with path.open("rb") as file:
        return list(read_lines(file, DECODER.decode))


def test_every_part_of_a_file_that_is_damaged_anywhere_is_a_line_or_torn(tmp_path: Path) -> None:
    """One byte lost or overwritten costs its own line, or two that it joined: never more."""
    path = tmp_path / "lines.jsonl"
    with LinesFile(path) as out:
        for number in range(4):
            out.add({"number": number, "text": "é\n{}", "nested": {"a": [1]}})
    content = path.read_bytes()
    values = read(path)
    for at in range(len(content)):
        for damaged in (content[:at] + content[at + 1 :], content[:at] + b"\0" + content[at + 1 :]):
            path.write_bytes(damaged)
            kept = [value for value in read(path) if value in values]
            assert len(kept) >= len(values) - 2, at


def test_threads_and_processes_share_a_file(tmp_path: Path) -> None:
    """Each line is whole."""
    path = tmp_path / "lines.jsonl"
    files = [LinesFile(path) for _ in range(4)]

    def write(out: LinesFile) -> None:
        for number in range(200):
            out.add({"number": number})

    threads = [threading.Thread(target=write, args=(out,)) for out in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for out in files:
        out.close()
    assert sorted(line["number"] for line in read(path) if isinstance(line, dict)) == sorted(
        [*range(200)] * 4
    )


def test_a_pipe_has_no_last_line() -> None:
    """As `--receipts /dev/stdout` in a pipeline."""
    reading, writing = os.pipe()
    with LinesFile(Path(f"/dev/fd/{writing}")) as out:
        out.add({"a": 1})
    os.close(writing)
    assert os.read(reading, 100) == b'{"a":1}\n'
    os.close(reading)


def test_a_hostile_line_is_given_up_in_time(tmp_path: Path) -> None:
    """Values are looked for in a bounded number of places."""
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"' * 100_000 + b"\n" + b'{"a":1}\n')
    torn, value = read(path)
    assert isinstance(torn, TornLines)
    assert value == {"a": 1}
