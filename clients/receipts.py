"""What runs leave in files: receipts, one line for each body that was answered 202, and reports as JSON.

A receipt is written before anything else happens. `responder audit` compares receipts with the ledger and
with Slack: they are the sender's own record, so a bug in the pipeline cannot make them agree by itself. How
many members a body had, and what each told of which fault, is the sender's knowledge and not the answer's.

A sender that is killed, or a disk that is full, leaves a torn line: a 202 that nobody can name any more. The
lines around it are read, it is told as `Unread`, and a sender that goes on with the file begins a new line.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from clients.lines import LinesFile, TornLines, read_lines
from topology.alerts import FaultState
from topology.errors import ExplainedError


class ReceiptsError(ExplainedError):
    """A receipts file cannot be written or cannot be read at all."""


class Tells(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a member of a body tells, as whoever made the body knows it: which fault, and its state then.

    `fault` is any name that the sender keeps for one fault;
    `changed_at_ms` is when the fault came into it, in epoch milliseconds, if the body says that.
    """

    fault: str
    state: FaultState
    changed_at_ms: int | None = None


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One alert that was answered 202. Times in epoch milliseconds by the sender's clock.

    Of an alert of a `BodyReceipt` it also has the `fault_key` and `state` of the answer; what the sender
    `tells`, with the time of its first try; and the place in the body. A line of a file that is one of these,
    as older senders wrote it, does not say of which body it is.
    """

    alert_id: str
    status: str
    region: str
    sent_at_ms: int
    accepted_at_ms: int
    fault_key: str | None = None
    state: str | None = None
    first_sent_at_ms: int | None = None
    tells: Tells | None = None


class Member(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A member of a body, by its place from 0, and the answer: an alert's id, or why it was `refused`.

    Without either it was lost. An alert that the answer has beyond the members is one about refused members.
    """

    index: int
    alert_id: str | None = None
    status: str | None = None
    fault_key: str | None = None
    state: str | None = None
    refused: str | None = None
    tells: Tells | None = None


class BodyReceipt(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One body that was answered 202, and what was answered of each member. Times as in `Receipt`.

    `body_hash` is the SHA-256 of the bytes that were sent, as hex digits; `sent` counts its members;
    `more_refused` counts members that were refused without their place, after those named in a long answer;
    `unnamed` says why the answer names none of them, where it was not reception's.
    """

    body_hash: str
    region: str
    first_sent_at_ms: int
    sent_at_ms: int
    accepted_at_ms: int
    sent: int
    members: tuple[Member, ...]
    more_refused: int = 0
    unnamed: str | None = None

    @property
    def alerts(self) -> Iterator[Receipt]:
        """Each alert that was answered."""
        for member in self.members:
            if member.alert_id is not None:
                yield Receipt(
                    member.alert_id,
                    member.status or "",
                    self.region,
                    self.sent_at_ms,
                    self.accepted_at_ms,
                    member.fault_key,
                    member.state,
                    self.first_sent_at_ms,
                    member.tells,
                )

    @property
    def answered(self) -> set[int]:
        """The members that were answered with an alert."""
        return {m.index for m in self.members if m.alert_id is not None and 0 <= m.index < self.sent}

    @property
    def refused(self) -> set[int]:
        """The members that were refused, and not answered with an alert as well."""
        answered = self.answered
        named = {m.index for m in self.members if m.refused is not None and 0 <= m.index < self.sent}
        named -= answered
        if self.more_refused <= 0:
            return named
        rest = (index for index in range(self.sent) if index not in named and index not in answered)
        return named | set(islice(rest, self.more_refused))

    @property
    def lost(self) -> Iterable[int]:
        """The members of which nothing was answered."""
        accounted = self.answered | self.refused
        return (index for index in range(self.sent) if index not in accounted)


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A part of a record of 202s that cannot be read, where and why: what was promised in it is unknown.

    It was accepted between `since_ms` and `until_ms`, in epoch milliseconds.
    """

    where: str
    why: str
    since_ms: int = 0
    until_ms: int = 1 << 62


class ReceiptsFile:
    """Appends receipts, each one whole in the file before the next post is counted."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending, with its folder made.

        Raises:
            ReceiptsError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = LinesFile(path)
        except OSError as error:
            raise ReceiptsError(f"{path} cannot be written: {error.strerror}; name another file") from error
        self._path = path

    def add(self, receipt: BodyReceipt) -> None:
        """Append one receipt.

        Raises:
            ReceiptsError: it is not, or not whole, in the file.
        """
        try:
            self._out.add(receipt)
        except OSError as error:
            raise ReceiptsError(
                f"{self._path} cannot be written: {error.strerror}; the receipt of "
                f"{', '.join(alert.alert_id for alert in receipt.alerts) or receipt.body_hash} "
                "is lost: make room and send again"
            ) from error

    def close(self) -> None:
        """Put everything on disk."""
        self._out.sync()
        self._out.close()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, whatever happened."""
        self.close()


def read_receipts(path: Path) -> Iterator[Receipt]:
    """The alerts of a file's whole receipts, in order; an audit, which has to name the rest, scans it.

    Raises:
        ReceiptsError: the file cannot be read.
    """
    for part in scan_receipts(path):
        if isinstance(part, BodyReceipt):
            yield from part.alerts
        elif isinstance(part, Receipt):
            yield part


def scan_receipts(path: Path) -> Iterator[Receipt | BodyReceipt | Unread]:
    """The receipts of a file, in order, and what between them is torn; see `clients.lines.read_lines`.

    What is torn was accepted between the receipts before and after it. A body whose answer names nothing is
    `Unread` too.

    Raises:
        ReceiptsError: the file cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ReceiptsError(f"{path} cannot be read: {error.strerror}; name the sender's file") from error
    since_ms, torn = 0, None
    with file:
        for part in read_lines(file, _decoded):
            if isinstance(part, TornLines):
                torn = part
                continue
            if torn is not None:
                yield _unread(path, torn, since_ms, part.accepted_at_ms)
                torn = None
            since_ms = part.accepted_at_ms
            yield part if isinstance(part, Receipt) or part.unnamed is None else _unnamed(path, part)
    if torn is not None:
        yield _unread(path, torn, since_ms, Unread.until_ms)


_body_decoder: Final = msgspec.json.Decoder(BodyReceipt)
_alert_decoder: Final = msgspec.json.Decoder(Receipt)


def _decoded(line: bytes) -> Receipt | BodyReceipt:
    with suppress(msgspec.ValidationError):
        return _body_decoder.decode(line)
    return _alert_decoder.decode(line)


def _unnamed(path: Path, body: BodyReceipt) -> Unread:
    return Unread(
        where=f"{path} body {body.body_hash}",
        why=f"answered 202 by {body.region}, {body.unnamed}; what became of all {body.sent} members is "
        "unknown",
        since_ms=body.accepted_at_ms,
        until_ms=body.accepted_at_ms,
    )


def _unread(path: Path, torn: TornLines, *between_ms: int) -> Unread:
    return Unread(
        where=f"{path} {torn}",
        why=f"no whole receipt ({torn.start}), so what was answered 202 is unknown",
        since_ms=min(between_ms),
        until_ms=max(between_ms),
    )


def write_report(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all, with its folder; what JSON has no form for as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(path)
