"""A load that dies, or does not end, says so: what it was to show is not taken for shown."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.load import Load, LoadFailedError
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
    posts = zip(itertools.repeat({}), itertools.repeat((Webhook("east", server.url, "key"),)), strict=False)
    return Load(
        posts=posts,
        receipts=folder / "receipts",
        per_s=1 / 30,
        at_once=2,
        ahead=ahead,
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
    """The cause itself is told, not the group of its tasks."""
    load = _load(server, tmp_path)
    load.observe = lambda _: (tmp_path / "a log that is gone").read_text()  # type: ignore[assignment,return-value]  # it raises
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
