"""HTTP as failover and status use it: no retries, and silence is told apart from a refusal."""

from collections.abc import Iterator

import pytest

from dr.operations.environment import Answer, HttpWeb
from tests.fakes import http_server


@pytest.fixture
def server() -> Iterator[http_server.ScriptedServer]:
    """A server that answers as the test scripts it."""
    one = http_server.ScriptedServer([])
    yield one
    one.stop()


def test_an_answer_has_its_status_and_its_json(server: http_server.ScriptedServer) -> None:
    """Whatever the status is."""
    server.script = [http_server.Answer(404, b'{"switch": "off"}')]
    assert HttpWeb().get(f"{server.url}/switch") == Answer(404, {"switch": "off"})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_what_is_no_json_object_is_an_empty_one(server: http_server.ScriptedServer, body: bytes) -> None:
    """A proxy's error page must not break a failover."""
    server.script = [http_server.Answer(502, body)]
    assert HttpWeb().get(server.url) == Answer(502, {})


def test_no_answer_is_none_and_is_not_tried_again(server: http_server.ScriptedServer) -> None:
    """The caller decides how often to ask."""
    server.script = [http_server.Answer(reset=True)]
    assert HttpWeb().get(server.url) is None
    assert len(server.heard) == 1
    assert HttpWeb().get("http://127.0.0.1:1/health") is None


def test_a_body_that_never_ends_is_no_answer(server: http_server.ScriptedServer) -> None:
    """However often a little of it comes."""
    server.script = [http_server.Answer(200, drip="body")]
    assert HttpWeb(look_timeout_s=0.2).get(server.url) is None


def test_an_alert_is_posted_as_json_with_its_key(server: http_server.ScriptedServer) -> None:
    """As any source does."""
    server.script = [http_server.Answer(202, b'{"alerts": []}')]
    answer = HttpWeb().post(f"{server.url}/alerts", {"title": "t"}, api_key="the key")
    assert answer == Answer(202, {"alerts": []})
    heard = server.heard[0]
    assert (heard.path, heard.body, heard.headers["x-api-key"]) == ("/alerts", b'{"title": "t"}', "the key")
    assert heard.headers["content-type"] == "application/json"
