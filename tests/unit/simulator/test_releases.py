"""Two releases in one world: the archive, and that the mode finds what one release does to the other."""

import ast
import json
import logging
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from handlers.adapters.aws import dynamodb, sqs
from handlers.domain import ports, states
from handlers.domain.moves import MOVES
from simulator.cli import app
from simulator.drawing import scenario_of
from simulator.releases import archive
from simulator.releases.archive import ReleaseError, archive_release, last_release, load
from simulator.scenario import CONSISTENCIES, REGIONS, Arrival, Consistency, Mix, Scenario
from simulator.simulation import Outcome, run
from topology.alerts import Severity, Status

EAST, WEST = REGIONS
LAST = last_release()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The handlers log every simulated failure."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run_one(*places: str, region: str = EAST) -> Outcome:
    """One alert without faults, the last release in these places."""
    arrival = Arrival(label="A0", at_ms=1_000, region=region, tells_of=(1,), severity=Severity.HIGH)
    mix = Mix(release=LAST, places=places)
    return run(
        Scenario(seed=1, consistency="strong", horizon_ms=120_000, arrivals=(arrival,), mix=mix),
        keep_history=True,
    )


def rewrite(monkeypatch: pytest.MonkeyPatch, name: str, *, to: str, write: Any = lambda value: value) -> None:
    """From now on today's rows hold attribute `name` under another name or type; today's reading follows."""
    attributes_of, plain_of = dynamodb.attributes_of, dynamodb.plain_of

    def written(value: Any) -> dict[str, Any]:
        plain = attributes_of(value)
        return {(to if key == name else key): write(v) if key == name else v for key, v in plain.items()}

    def read(item: Mapping[str, Any]) -> dict[str, Any]:
        plain = plain_of(item)
        if to in plain and write(1) != 1:
            plain[to] = int(plain[to])
        return {(name if key == to else key): value for key, value in plain.items()}

    monkeypatch.setattr(dynamodb, "attributes_of", written)
    monkeypatch.setattr(dynamodb, "plain_of", read)


def test_archive_is_the_same_each_time(tmp_path: Path) -> None:
    """Whenever it is made, and with nothing but sources in it."""
    first = archive_release("1.0.0", folder=tmp_path).read_bytes()
    path = archive_release("1.0.0", folder=tmp_path, replace=True)
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as release:
        assert {name.split("/")[0] for name in release.namelist()} == {
            "handlers",
            "topology",
            "wiring.py",
            "adapters.py",
        }
        assert all(name.endswith(".py") for name in release.namelist())


def test_archived_release_is_not_overwritten(tmp_path: Path) -> None:
    """What was deployed is history."""
    archive_release("1.0.0", folder=tmp_path)
    with pytest.raises(ReleaseError, match=r"1\.0\.0 is archived already; raise the version"):
        archive_release("1.0.0", folder=tmp_path)


def test_last_release_is_the_highest_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By number, not by text; none is an error that says what to do."""
    monkeypatch.setattr(archive, "FOLDER", tmp_path)
    with pytest.raises(ReleaseError, match="make release-snapshot"):
        last_release()
    for version in ("0.9.0", "0.10.0"):
        archive_release(version, folder=tmp_path)
    assert last_release() == "0.10.0"


def test_release_that_is_not_archived_is_refused_by_name() -> None:
    """With those that there are."""
    with pytest.raises(ReleaseError, match=rf"9\.9\.9 is not archived; those that are: .*{LAST}"):
        load("9.9.9")


def test_archived_modules_are_a_set_of_their_own() -> None:
    """Their errors and enums are not today's, and today's modules are what they were."""
    before = {
        name: module for name, module in sys.modules.items() if name.startswith(("handlers", "topology"))
    }
    load.cache_clear()
    release = load(LAST)
    assert release.wiring.ERRORS.LedgerUnavailableError is not ports.LedgerUnavailableError
    assert release.wiring.ERRORS.__file__.startswith(str(archive.FOLDER / f"{LAST}.zip"))
    assert not issubclass(release.wiring.ERRORS.LedgerUnavailableError, ports.LedgerUnavailableError)
    after = {name: module for name, module in sys.modules.items() if name in before}
    assert after == before
    assert "wiring" not in sys.modules


def test_archived_sources_import_nothing_late() -> None:
    """An import inside a function would find today's modules, once the release is loaded."""
    with zipfile.ZipFile(archive.FOLDER / f"{LAST}.zip") as release:
        for name in release.namelist():
            nodes = list(ast.walk(ast.parse(release.read(name))))
            functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
            within = {type(node) for function in functions for node in ast.walk(function)}
            assert not within & {ast.Import, ast.ImportFrom}, name


@pytest.mark.parametrize("consistency", CONSISTENCIES)
def test_way_through_the_adapters_changes_nothing(consistency: Consistency) -> None:
    """Today's release everywhere, reached through items and expressions, does what it does without them."""
    for seed in (6, 9):
        scenario = scenario_of(seed, consistency)
        alone = run(scenario)
        mixed = run(replace(scenario, mix=Mix(release=LAST, places=())))
        assert mixed.violation is None
        assert (mixed.fired, mixed.counts) == (alone.fired, alone.counts)


@pytest.mark.parametrize(
    ("name", "to", "write"),
    [("source", "origin", lambda value: value), ("attempts", "attempts", str)],
    ids=["a renamed attribute", "another type"],
)
@pytest.mark.parametrize("places", [(EAST,), (WEST,), ("analysis", "distribution")])
def test_row_that_the_last_release_cannot_read_is_found(
    name: str, to: str, write: Any, places: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, with who wrote it and who cannot read it."""
    rewrite(monkeypatch, name, to=to, write=write)
    violation = run_one(*places, region=WEST if places == (EAST,) else EAST).violation
    assert violation is not None
    assert violation.rule == "unreadable"
    if places == (WEST,):
        assert "us-east-1/reception/A0#1 wrote a" in violation.text
        assert f"release {LAST} cannot read: MalformedRowError" in violation.text


def test_row_of_the_last_release_that_today_cannot_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when today requires an attribute that the last release never wrote."""
    plain_of = dynamodb.plain_of
    monkeypatch.setattr(
        dynamodb, "plain_of", lambda item: {k: v for k, v in plain_of(item).items() if k != "identity"}
    )
    violation = run_one(EAST, WEST).violation
    assert violation is not None
    assert violation.rule == "unreadable"
    assert "release today cannot read" in violation.text


def test_move_that_today_does_not_have_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last release may make it, and today's rules forbid it."""
    moves = tuple(move for move in MOVES if move.target is not Status.NOTIFIED)
    monkeypatch.setattr(states, "MOVES", moves)
    violation = run_one(EAST, WEST).violation
    assert violation is not None
    assert violation.rule == "illegal_move"
    assert "distribution may not move an alert from ANALYZED to NOTIFIED" in violation.text


def test_wake_up_that_the_last_release_cannot_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its worker takes it for poison, so the alert never comes to rest."""

    def encode(body: Mapping[str, str]) -> bytes:
        return json.dumps({"id": body["alert_id"]}).encode()

    monkeypatch.setattr(sqs, "msgspec", SimpleNamespace(json=SimpleNamespace(encode=encode)))
    violation = run_one("analysis", "distribution").violation
    assert violation is not None
    assert violation.rule == "not_live"


def test_report_says_which_release_ran_where(tmp_path: Path) -> None:
    """Each region's turn, and each half of the functions'."""
    path = tmp_path / "mixed.json"
    arguments = ["--seeds", "1", "--first-seed", "6", "--mixed", "--consistency", "strong", "--workers", "1"]
    result = CliRunner().invoke(app, [*arguments, "--report", str(path)])
    assert result.exit_code == 0, result.output
    assert f"1 runs of release {LAST} in us-east-1, today's elsewhere" in result.output
    report = json.loads(path.read_text())
    assert (report["ok"], report["seeds"], report["runs"]) == (True, 1, 4)
    assert set(report["releases"].values()) == {1}
    assert len(report["releases"]) == 4


def test_replayed_seed_says_which_release_ran_where() -> None:
    """One history for each mix; a planted bug is today's alone."""
    arguments = ["--seed", "6", "--mixed", "--consistency", "strong", "--mutant", "no-rate-limit", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    violations = {outcome["releases"]: outcome["violation"] for outcome in json.loads(result.output)}
    caught = {mix.split(",")[0]: violation is not None for mix, violation in violations.items()}
    assert caught[f"{LAST} in reception and recovery"]
    assert not caught[f"{LAST} in analysis and distribution"]
