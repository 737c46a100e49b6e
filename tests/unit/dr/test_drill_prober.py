"""The prober of drills against real HTTP servers: where it posts, what it writes down, where it goes on."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clients.load import LoadFailedError
from clients.receipts import read_receipts
from clients.sender import Attempt, Webhook
from dr.drill.prober import Numbered, Prober, _append, read_log
from dr.drill.record import ATTEMPTS_FILE, DrillFacts, DrillFile
from dr.drill.run import DrillRun
from tests.fakes.http_server import Answer, ScriptedServer
from tests.unit.dr.drill_examples import state

FAST = 200.0
ACCEPTED = Answer(202, json.dumps({"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}).encode())


@pytest.fixture
def servers() -> Iterator[tuple[ScriptedServer, ScriptedServer]]:
    """Two regions that accept everything, the primary first."""
    both = ScriptedServer([ACCEPTED]), ScriptedServer([ACCEPTED])
    yield both
    for server in both:
        server.stop()


def _prober(servers: tuple[ScriptedServer, ScriptedServer], folder: Path, leading: str | None) -> Prober:
    webhooks = tuple(
        Webhook(region, f"{server.url}/alerts", f"key-{region}")
        for region, server in zip(("east", "west"), servers, strict=True)
    )
    return Prober(
        "d1", webhooks, folder / "receipts", folder / "attempts", leading=lambda: leading, per_s=FAST
    )


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _numbers(server: ScriptedServer) -> list[int]:
    return sorted(int(json.loads(one.body)["event_id"].removeprefix("d1-")) for one in server.heard)


def _sent_once(server: ScriptedServer, posted: int) -> bool:
    """Whether it heard numbers of those on disk, each once; one that was in line at a stop is unsent."""
    numbers = _numbers(server)
    return len(set(numbers)) == len(numbers) and set(numbers) <= set(range(posted))


@pytest.mark.parametrize(("leading", "first"), [(None, 0), ("east", 0), ("west", 1)])
def test_alerts_go_where_the_name_points(
    servers: tuple[ScriptedServer, ScriptedServer], tmp_path: Path, leading: str | None, first: int
) -> None:
    """To the primary without a name; the other region hears nothing as long as the first accepts."""
    prober = _prober(servers, tmp_path, leading)
    prober.start()
    _until(lambda: len(servers[first].heard) >= 5)
    prober.stop()
    assert servers[1 - first].heard == []
    assert len(list(read_receipts(tmp_path / "receipts"))) == len(servers[first].heard)


def test_a_region_that_fails_is_tried_and_left_for_the_other(
    servers: tuple[ScriptedServer, ScriptedServer], tmp_path: Path
) -> None:
    """Both tries are on record with region and answer; the receipt is of the one that accepted."""
    servers[0].script = [Answer(503)]
    prober = _prober(servers, tmp_path, "east")
    prober.start()
    _until(lambda: len(servers[1].heard) >= 3)
    prober.stop()
    log = read_log(tmp_path / "attempts")
    # A try without an answer is one that a slow machine's server had no time for.
    statuses = {(one.region, one.status) for one in log.attempts if one.status is not None}
    assert statuses == {("east", 503), ("west", 202)}
    assert {receipt.region for receipt in read_receipts(tmp_path / "receipts")} == {"west"}
    assert _sent_once(servers[1], log.posted)


def test_a_resumed_prober_goes_on_with_the_next_number(
    servers: tuple[ScriptedServer, ScriptedServer], tmp_path: Path
) -> None:
    """No number is sent twice, or it would be a repeat of an alert that the dead process sent."""
    for _ in range(2):
        prober = _prober(servers, tmp_path, None)
        heard = len(servers[0].heard)
        prober.start()
        _until(lambda heard=heard: len(servers[0].heard) >= heard + 3)  # type: ignore[misc]  # of this round
        prober.stop()
    assert _sent_once(servers[0], read_log(tmp_path / "attempts").posted)


def test_a_log_cut_at_any_byte_loses_one_line_and_none_that_follows(tmp_path: Path) -> None:
    """A number that follows a torn line is not forgotten: it would be sent twice."""
    log = tmp_path / "attempts"
    for line in (Numbered(0), Attempt("east", 1, 2, None), Numbered(1), Attempt("west", 3, 4, 202)):
        _append(log, line)
    content = log.read_bytes()
    for cut in range(len(content) + 1):
        log.write_bytes(content[:cut])
        before = read_log(log)
        _append(log, Numbered(before.posted))
        _append(log, Attempt("west", 5, 6, 503))
        after = read_log(log)
        assert after.posted == before.posted + 1, cut
        assert after.attempts == (*before.attempts, Attempt("west", 5, 6, 503)), cut


def test_a_burst_is_posted_at_once(servers: tuple[ScriptedServer, ScriptedServer], tmp_path: Path) -> None:
    """At a pace of one in a hundred seconds only the first alert and the burst are posted."""
    prober = replace(_prober(servers, tmp_path, None), per_s=0.01)
    prober.start()
    _until(lambda: len(servers[0].heard) == 1)
    prober.burst(5)
    _until(lambda: len(servers[0].heard) == 6)
    prober.stop()
    assert _numbers(servers[0]) == [0, 1, 2, 3, 4, 5]


def test_a_drill_whose_load_died_says_so_at_once(
    servers: tuple[ScriptedServer, ScriptedServer], tmp_path: Path
) -> None:
    """And does not wait for what the load was to bring about; the drill has no load to end then."""
    began = replace(state(), moments={}, phases=(), facts=DrillFacts())
    target = SimpleNamespace(
        run_dir=tmp_path, leading=lambda: None, webhooks=lambda: _prober(servers, tmp_path, None).webhooks
    )
    run = DrillRun(cast("Any", target), DrillFile.create(tmp_path, began), lambda _: None)
    (tmp_path / ATTEMPTS_FILE).mkdir()
    run.start_load()
    with pytest.raises(LoadFailedError, match="IsADirectoryError"):
        run.until(lambda: None, "an alert is accepted", within_s=60, every_s=0.01)
    assert run.stop_load() is None
