"""Processes share a load: each post is sent by one of them, when it is due, and told of in snapshots."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clients.load import Arrival
from clients.receipts import read_receipts
from clients.streams import StreamError
from loadtests.figures import Snapshot
from loadtests.shard import Order, Shard, plan
from tests.fakes.http_server import Answer, ScriptedServer

ACCEPTED = Answer(202, b'{"alerts": [{"alert_id": "a1", "status": "RECEIVED"}]}')
WITHIN_S = 20.0


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A webhook that accepts everything."""
    one = ScriptedServer([ACCEPTED])
    yield one
    one.stop()


def order(url: str, folder: Path, **settings: object) -> Order:
    """Twenty posts in a fifth of a second."""
    return msgspec.convert(
        {
            "shape": "test",
            "run": "r",
            "begin_at": time.time(),
            "webhooks": [("east", f"{url}/east", "key"), ("west", f"{url}/west", "key")],
            "stages": [(0.2, 100.0, 100.0)],
            "receipts": str(folder),
            **settings,
        },
        Order,
    )


def sent(shard: Shard) -> Snapshot:
    """The snapshot of a shard that has sent all."""
    shard.start()
    deadline = time.monotonic() + WITHIN_S
    alerts = []
    while not (snapshot := shard.snapshot()).over:
        alerts += snapshot.alerts
        assert time.monotonic() < deadline
        time.sleep(0.01)
    snapshot.alerts[:0] = alerts
    return snapshot


def test_shards_send_every_post_once(server: ScriptedServer, tmp_path: Path) -> None:
    """Whatever the number of processes, and each counts as due what is its own."""
    arrivals = list[Arrival]()
    snapshots = [sent(Shard(order(server.url, tmp_path, index=i, of=3), arrivals.append)) for i in range(3)]
    assert sorted(arrival.number for arrival in arrivals) == list(range(20))
    assert [snapshot.due for snapshot in snapshots] == [7, 7, 6]
    assert sum(snapshot.posted for snapshot in snapshots) == 20


def test_what_was_accepted_is_told_once_and_has_a_receipt(server: ScriptedServer, tmp_path: Path) -> None:
    """With its severity, as its maker knows it."""
    snapshot = sent(Shard(order(server.url, tmp_path, critical_percent=100), lambda _: None))
    assert [alert.severity for alert in snapshot.alerts] == ["CRITICAL"] * 20
    assert len(list(read_receipts(tmp_path / "receipts-0.jsonl"))) == snapshot.accepted == 20
    assert snapshot.answers == {"202": 20}


def test_each_region_is_tried_first_as_often_or_the_primary_always(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The sources' own failover is the order of the webhooks."""
    both, one = (plan(order(server.url, tmp_path, both_regions=both)) for both in (True, False))
    assert {both.post(number).webhooks[0].region for number in range(40)} == {"east", "west"}
    assert {one.post(number).webhooks[0].region for number in range(4)} == {"east"}
    assert [webhook.region for webhook in one.post(0).webhooks] == ["east", "west"]


@pytest.mark.parametrize("percent", [2, 5, 10, 100])
def test_critical_alerts_come_in_all_formats_to_both_regions(
    server: ScriptedServer, tmp_path: Path, percent: int
) -> None:
    """About as often each: what comes every twentieth time is in step with no choice."""
    formats = ["alertmanager", "generic"]
    planned = plan(order(server.url, tmp_path, formats=formats, critical_percent=percent))
    posts = [post for post in map(planned.post, range(4_000)) if post.severity == "CRITICAL"]
    counts = Counter((post.webhooks[0].region, "alerts" in post.body) for post in posts)
    assert len(counts) == 4
    assert min(counts.values()) > len(posts) / 8


def test_a_recorded_stream_is_replayed_at_its_times_and_faster(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """Its bodies as they were recorded, ten times as fast."""
    stream = tmp_path / "stream.jsonl"
    lines = [msgspec.json.encode({"at_s": 10.0 + n, "body": {"title": f"t{n}"}}) for n in range(3)]
    stream.write_bytes(b"\n".join(lines))
    arrivals = list[Arrival]()
    snapshot = sent(Shard(order(server.url, tmp_path, stream=str(stream), speed=10), arrivals.append))
    assert snapshot.posted == 3
    assert [arrival.due_s for arrival in arrivals] == pytest.approx([0.0, 0.1, 0.2])
    assert [msgspec.json.decode(heard.body)["title"] for heard in server.heard] == ["t0", "t1", "t2"]


def test_a_stream_that_is_none_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(StreamError, match="cannot be read"):
        plan(order("http://stub", tmp_path, stream=str(tmp_path / "none")))


def test_a_halted_shard_posts_nothing_new(server: ScriptedServer, tmp_path: Path) -> None:
    """And is over as soon as what is under way has its answers."""
    shard = Shard(order(server.url, tmp_path, stages=[(60.0, 5.0, 5.0)]), lambda _: None)
    shard.start()
    shard.halt()
    assert sent(shard).posted < 5


def test_receipts_that_cannot_be_written_are_told_as_the_loads_end(tmp_path: Path) -> None:
    """A load without receipts proves nothing."""
    (tmp_path / "file").touch()
    snapshot = sent(Shard(order("http://127.0.0.1:9", tmp_path / "file"), lambda _: None))
    assert "cannot be written" in str(snapshot.error)
