"""What a trial has found: a verdict for each claim, in a file that `docs/proof.md` shows."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from clients.receipts import write_report


class Verdict(StrEnum):
    """Of a claim. `not settled`: it was not seen, or what was seen here says nothing of AWS."""

    HELD = "held"
    FAILED = "failed"
    NOT_SETTLED = "not settled"


@dataclass(frozen=True)
class Result:
    """One claim. `at`: when it was settled, ISO 8601 UTC."""

    id: str
    claim: str
    verdict: Verdict
    evidence: str
    at: str
    took_s: float


@dataclass(frozen=True)
class TrialReport:
    """A whole trial. `where` names no account; `left_over` is what the tear-down could not remove."""

    where: str
    began_at: str
    took_s: float
    results: tuple[Result, ...]
    left_over: str

    @property
    def failed(self) -> bool:
        """Whether a claim failed, or something is left that costs."""
        return bool(self.left_over) or any(one.verdict is Verdict.FAILED for one in self.results)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        write_report(path, asdict(self))


def read_results(path: Path) -> tuple[str, tuple[Result, ...]]:
    """Where a trial ran, and its results, from its file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    results = (Result(**{**one, "verdict": Verdict(one["verdict"])}) for one in content["results"])
    return str(content["where"]), tuple(results)


def proof_table(where: str, results: Iterable[Result]) -> list[str]:
    """The lines of the table in `docs/proof.md`."""
    rows = [f"| {one.id} | {one.claim} | {one.verdict} |" for one in results]
    return [f"| | claim | on {where} |", "|---|---|---|", *rows]
