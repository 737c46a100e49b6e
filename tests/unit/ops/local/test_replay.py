"""`responder local replay`: how it ends, interrupted or not."""

import asyncio
import io
import itertools
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from rich.console import Console

from clients.receipts import read_receipts
from clients.sender import Webhook
from clients.streams import RecordedPost
from ops.local.replay import send, wait_at_rest
from tests.fakes.loop_thread import LoopThread


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    """Where the webhook is served."""
    running = LoopThread()
    yield running
    running.stop()


def serve(loop_thread: LoopThread, *, answers: bool) -> Webhook:
    """A webhook that accepts what it gets, or never says a word."""
    numbers = itertools.count(1)

    async def handle(_: web.Request) -> web.Response:
        if not answers:
            await asyncio.Event().wait()
        alert = {"alert_id": f"a{next(numbers)}", "status": "RECEIVED"}
        return web.json_response({"alerts": [alert]}, status=202)

    app = web.Application()
    app.router.add_post("/", handle)
    return Webhook("east", loop_thread.serve(app), "key")


def test_what_is_waited_for_is_what_was_sent_now(loop_thread: LoopThread, tmp_path: Path) -> None:
    """An earlier replay's receipts stay in the file."""
    path, said = tmp_path / "receipts", Console(file=io.StringIO())
    webhook = serve(loop_thread, answers=True)
    send([RecordedPost(0, {})], (webhook,), path, said)
    tally, ids = send([RecordedPost(0, {})], (webhook,), path, said)
    assert (tally.accepted, ids) == (1, {"a2"})
    assert len(list(read_receipts(path))) == 2


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT interrupts, also where the tests were started with it ignored, as a shell's `&` does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_while_sending_it_posts_nothing_new_and_says_how_far_it_got(
    loop_thread: LoopThread, tmp_path: Path
) -> None:
    """Ctrl-C does not wait for a region that says nothing."""
    path, said = tmp_path / "receipts", io.StringIO()
    webhook = serve(loop_thread, answers=False)
    posts = [RecordedPost(0, {}), RecordedPost(3_600, {})]
    threading.Timer(0.2, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        send(posts, (webhook,), path, Console(file=said))
    assert "accepted 0" in said.getvalue()
    assert str(path) in said.getvalue().replace("\n", "")


def test_it_ends_when_all_is_at_rest() -> None:
    """And says so."""
    said, seen = io.StringIO(), iter([{"a", "b"}, {"b"}, set[str]()])
    assert wait_at_rest(lambda: next(seen), Console(file=said))
    assert "all at rest" in said.getvalue()


def test_what_does_not_come_to_rest_is_counted() -> None:
    """The wait has an end."""
    said = io.StringIO()
    assert not wait_at_rest(lambda: {"a"}, Console(file=said), within_s=0)
    assert "1 alerts are not at rest" in said.getvalue()
