"""A load that dies, or does not end, says so: what it was to show is not taken for shown."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.load import Arrival, Load, LoadFailedError, Post, Shard
from clients.schedules import Recorded, Steady
from clients.sender import Webhook
from tests.fakes.http_server import Answer, ScriptedServer

ACCEPTED = Answer(202, b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}')


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that accepts everything."""
    one = ScriptedServer([ACCEPTED])
    yield one
    one.stop()


def _load(server: ScriptedServer, folder: Path, *, stopped_within_s: float = 10, ahead: int = 0) -> Load:
    """Two posts a minute, so that only those ahead are posted while a test runs."""
    webhooks = (Webhook("east", server.url, "key"),)
    return Load(
        post=lambda _: Post({}, webhooks),
        schedule=Steady(1 / 30, ahead=ahead),
        receipts=folder / "receipts",
        at_once=2,
        stopped_within_s=stopped_within_s,
    )


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_load_posts_what_is_ahead_at_once_and_tells_how_it_went(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The first post and those ahead."""
    load = _load(server, tmp_path, ahead=4)
    load.start()
    _until(lambda: load.tally.accepted == 5)
    assert not load.died
    assert load.stop().posted == 5


def test_a_load_that_dies_says_of_what(server: ScriptedServer, tmp_path: Path) -> None:
    """With the cause, in the thread that asks."""
    load = _load(server, tmp_path)
    load.observe = lambda _: (tmp_path / "a log that is gone").read_text()  # type: ignore[assignment]  # it raises
    load.start()
    _until(lambda: load.died)
    with pytest.raises(LoadFailedError, match=r"died after 1 posts: FileNotFoundError: "):
        load.stop()


def test_a_load_goes_on_when_something_else_than_reception_answers_202(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """A proxy's page is no answer to rely on; the posts after it may get one."""
    server.script = [Answer(202, b"<html>"), ACCEPTED]
    load = _load(server, tmp_path, ahead=1)
    load.start()
    _until(lambda: load.tally.accepted == 1)
    assert load.stop().unnamed == 1


def test_a_load_that_goes_on_is_not_said_to_have_ended(server: ScriptedServer, tmp_path: Path) -> None:
    """A post is under way still when the time is over."""
    server.script = [Answer(hang=True)]
    load = _load(server, tmp_path, stopped_within_s=0.01)
    load.start()
    _until(lambda: len(server.heard) == 1)
    with pytest.raises(LoadFailedError, match=r"does not end within 0\.01 s"):
        load.stop()


def test_posts_that_find_no_connection_wait_in_line_and_count_from_when_they_were_due(tmp_path: Path) -> None:
    """A stack that stops answers shows in every post that was due meanwhile, not in one."""
    server = ScriptedServer([ACCEPTED], delay_s=0.3)
    arrivals: list[Arrival] = []
    webhooks = (Webhook("east", server.url, "key"),)
    load = Load(
        post=lambda _: Post({}, webhooks),
        schedule=Recorded([0.0, 0.01, 0.02, 0.03]),
        receipts=tmp_path / "receipts",
        at_once=2,
        ended=arrivals.append,
    )
    load.start()
    assert load.wait(10)
    server.stop()
    assert load.stop().accepted == 4
    latest = max(arrivals, key=lambda arrival: arrival.latency_s)
    assert latest.late
    assert latest.latency_s > 0.5 > latest.ended_s - latest.begun_s - 0.3
    assert load.late == 2


def test_a_load_that_is_stopped_counts_what_it_never_sent(tmp_path: Path) -> None:
    """What was due and found no free connection; what was not due yet is nothing."""
    server = ScriptedServer([ACCEPTED], delay_s=0.3)
    webhooks = (Webhook("east", server.url, "key"),)
    load = Load(
        post=lambda _: Post({}, webhooks),
        schedule=Recorded([0.0, 0.0, 0.0, 3_600.0]),
        receipts=tmp_path / "receipts",
        at_once=1,
    )
    load.start()
    _until(lambda: len(server.heard) == 1)
    assert load.stop().accepted == 1
    assert load.never_sent == 2
    server.stop()


def test_shards_send_every_number_once(server: ScriptedServer, tmp_path: Path) -> None:
    """Three processes share ten posts."""
    made: list[int] = []
    for index in range(3):
        load = Load(
            post=lambda number: (made.append(number), Post({}, (Webhook("east", server.url, "key"),)))[1],  # type: ignore[func-returns-value]
            schedule=Recorded([0.0] * 10),
            receipts=tmp_path / "receipts",
            at_once=2,
            shard=Shard(index, 3),
        )
        load.start()
        assert load.wait(10)
        load.stop()
    assert sorted(made) == list(range(10))
