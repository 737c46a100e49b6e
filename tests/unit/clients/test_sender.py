"""The sender against a real HTTP server: what it retries, where, and what it writes down."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from clients.receipts import ReceiptsFile, read_receipts
from clients.sender import Sender, Webhook

Answer = Callable[[], web.Response]
ACCEPTED = {"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}


def accepted() -> web.Response:
    """A 202 with one alert."""
    return web.json_response(ACCEPTED, status=202)


async def send(
    first: Answer | None, second: Answer, path: Path
) -> tuple[Sender, list[tuple[str, str | None]]]:
    """Post once; None as `first` is a region where nothing listens."""
    seen: list[tuple[str, str | None]] = []

    def handler(region: str, answer: Answer) -> Callable[[web.Request], Coroutine[Any, Any, web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            seen.append((region, request.headers.get("x-api-key")))
            return answer()

        return handle

    app = web.Application()
    app.router.add_post("/east", handler("east", first or accepted))
    app.router.add_post("/west", handler("west", second))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    webhooks = (
        Webhook("east", f"http://127.0.0.1:{port if first else 1}/east", "key-east"),
        Webhook("west", f"http://127.0.0.1:{port}/west", "key-west"),
    )
    try:
        async with aiohttp.ClientSession() as session:
            with ReceiptsFile(path) as receipts:
                sender = Sender(session, receipts)
                await sender.post({"title": "x"}, webhooks)
    finally:
        await runner.cleanup()
    return sender, seen


def test_an_accepted_post_leaves_a_receipt_with_its_region(tmp_path: Path) -> None:
    """The receipt names the alert and who promised it."""
    sender, seen = asyncio.run(send(accepted, accepted, tmp_path / "r"))
    assert seen == [("east", "key-east")]
    assert [(r.alert_id, r.status, r.region) for r in read_receipts(tmp_path / "r")] == [
        ("a1", "RECEIVED", "east")
    ]
    assert sender.tally.accepted == 1


def test_a_region_that_does_not_answer_is_left_for_the_other(tmp_path: Path) -> None:
    """A refused connection is retried on the other region at once, with that region's key."""
    sender, seen = asyncio.run(send(None, accepted, tmp_path / "r"))
    assert seen == [("west", "key-west")]
    assert sender.tally.accepted_by_region == {"west": 1}
    assert sender.tally.retries == 1


def test_overload_is_retried_and_a_refusal_is_not(tmp_path: Path) -> None:
    """503 and 429 promise nothing and may be retried; a 400 would be refused for ever."""
    answers = iter([web.Response(status=503), web.Response(status=429)])
    retried, seen = asyncio.run(
        send(lambda: next(answers, accepted()), lambda: next(answers, accepted()), tmp_path / "a")
    )
    assert [region for region, _ in seen] == ["east", "west", "east"]
    assert retried.tally.accepted == 1
    refused, seen = asyncio.run(send(lambda: web.Response(status=400), accepted, tmp_path / "b"))
    assert [region for region, _ in seen] == ["east"]
    assert refused.tally.refused == {400: 1}
    assert list(read_receipts(tmp_path / "b")) == []
