"""Route 53's rules for health checks, with a clock of our own; and one look at a real server."""

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from emulator.route53.health_checks import Board, Look, look
from emulator.route53.hosted_zones import HealthCheck, health_check

GOOD, BAD = Look(passed=True, said="HTTP 200"), Look(passed=False, said="HTTP 503")
SECOND = 1_000


def _endpoint(identifier: str, **other: Any) -> HealthCheck:
    values = {"type": "HTTP", "url": "http://127.0.0.1:1/health", "interval_s": 10, "failures": 3} | other
    return HealthCheck(id=identifier, name=identifier, **values)


def _calculated(identifier: str, *children: str, threshold: int, **other: Any) -> HealthCheck:
    return HealthCheck(
        id=identifier, name=identifier, type="CALCULATED", children=children, threshold=threshold, **other
    )


def _board(*checks: HealthCheck) -> Board:
    board = Board()
    board.set_checks({check.id: check for check in checks}, now_ms=0)
    return board


def _note(board: Board, identifier: str, *looks: Look, from_ms: int = 0) -> None:
    for number, found in enumerate(looks):
        board.note(identifier, found, from_ms + number * 10 * SECOND)


def test_as_many_failures_in_a_row_as_configured_make_it_unhealthy() -> None:
    """One pass between them starts the count again."""
    board = _board(_endpoint("a"))
    _note(board, "a", BAD, BAD, GOOD, BAD, BAD)
    assert board.is_healthy("a")
    _note(board, "a", BAD, from_ms=60_000)
    assert not board.is_healthy("a")
    assert [(s.since_ms, s.last_result) for s in board.statuses()] == [(60_000, "HTTP 503")]


def test_it_takes_as_many_passes_to_be_healthy_again() -> None:
    """A region that flaps is not sent everything at its first answer."""
    board = _board(_endpoint("a", failures=2))
    _note(board, "a", BAD, BAD, GOOD, BAD, GOOD)
    assert not board.is_healthy("a")
    _note(board, "a", GOOD)
    assert board.is_healthy("a")


def test_a_new_check_is_healthy_and_a_new_inverted_one_is_not() -> None:
    """Until there are enough looks, as in Route 53."""
    board = _board(_endpoint("a"), _endpoint("i", inverted=True, failures=2))
    assert board.is_healthy("a")
    assert not board.is_healthy("i")
    _note(board, "i", BAD, BAD)
    assert board.is_healthy("i")
    _note(board, "i", GOOD, GOOD)
    assert not board.is_healthy("i")


def test_a_disabled_check_passes_for_ever_and_is_not_looked_at() -> None:
    """Which is why the program pins `disabled` to false."""
    board = _board(_endpoint("a", disabled=True), _endpoint("i", disabled=True, inverted=True))
    assert board.due(0) == []
    assert board.next_due_ms() is None
    assert board.is_healthy("a")
    assert not board.is_healthy("i")


@pytest.mark.parametrize(
    ("threshold", "bad", "healthy"),
    [(2, (), True), (2, ("a",), False), (1, ("a",), True), (1, ("a", "b"), False), (0, ("a", "b"), True)],
)
def test_a_calculated_check_counts_its_healthy_children(
    threshold: int,
    bad: tuple[str, ...],
    healthy: bool,  # noqa: FBT001 - a table of cases
) -> None:
    """Against its threshold; 0 is always healthy."""
    children = [_endpoint(name, failures=1) for name in ("a", "b")]
    board = _board(_calculated("c", "a", "b", threshold=threshold), *children)
    for name in bad:
        _note(board, name, BAD)
    assert board.is_healthy("c") is healthy


def test_a_calculated_check_changes_with_its_child_in_the_same_moment() -> None:
    """Inverted or not; its time is the child's."""
    board = _board(
        _endpoint("a", failures=1),
        _calculated("c", "a", threshold=1),
        _calculated("not", "a", threshold=1, inverted=True),
    )
    _note(board, "a", BAD, from_ms=7_000)
    assert (board.is_healthy("c"), board.is_healthy("not")) == (False, True)
    assert {status.since_ms for status in board.statuses()} == {7_000}


def test_what_is_unknown_is_not_healthy() -> None:
    """A check that is gone, one of another type, a child that does not exist or is calculated itself."""
    board = _board(
        _endpoint("tcp", type="TCP", url=""),
        _calculated("orphan", "gone", threshold=1),
        _endpoint("a"),
        _calculated("c", "a", threshold=1),
        _calculated("of-calculated", "c", threshold=1),
    )
    for name in ("nobody", "tcp", "orphan", "of-calculated"):
        assert not board.is_healthy(name), name


def test_each_check_is_due_at_its_interval_and_never_twice_at_once() -> None:
    """The first look comes at once; a slow one delays the next."""
    board = _board(_endpoint("a", interval_s=10), _endpoint("b", interval_s=30))
    start = 10**12
    assert {check.id for check in board.due(start)} == {"a", "b"}
    assert board.due(start + 60 * SECOND) == [], "both are being looked at"
    _note(board, "a", GOOD, from_ms=start)
    _note(board, "b", GOOD, from_ms=start)
    assert board.next_due_ms() == start + 10 * SECOND
    assert board.due(start + 10 * SECOND - 1) == []
    assert [check.id for check in board.due(start + 10 * SECOND)] == ["a"]


def test_pace_shortens_every_interval() -> None:
    """For tests that cannot wait for half a minute."""
    board = _board(_endpoint("a"))
    start = 10**12
    board.due(start)
    _note(board, "a", GOOD, from_ms=start)
    board.pace = 0.05
    assert board.next_due_ms() == start + SECOND / 2


def test_what_is_known_of_a_check_outlives_a_change_of_the_others() -> None:
    """And what is gone is forgotten, even while it is looked at."""
    board = _board(_endpoint("a", failures=1), _endpoint("b"))
    _note(board, "a", BAD)
    board.set_checks({"a": _endpoint("a", failures=1)}, now_ms=1)
    _note(board, "b", BAD)
    assert not board.is_healthy("a")
    assert [status.id for status in board.statuses()] == ["a"]


def test_configuration_is_read_in_the_words_of_the_api() -> None:
    """Host and path make the URL; a check by address says the name in its Host header."""
    config = {"Type": "HTTPS", "FullyQualifiedDomainName": "api.example.com", "ResourcePath": "/v1/health"}
    check = health_check("id", "name", config)
    assert (check.url, check.host) == ("https://api.example.com:443/v1/health", "api.example.com")
    assert (check.interval_s, check.failures, check.inverted, check.disabled) == (30, 3, False, False)
    check = health_check("id", "", config | {"Type": "HTTP", "IPAddress": "192.0.2.1", "Port": 8080})
    assert (check.url, check.host) == ("http://192.0.2.1:8080/v1/health", "api.example.com")


@pytest.mark.parametrize(
    ("status", "passed"), [(200, True), (204, True), (302, True), (399, True), (404, False), (503, False)]
)
def test_a_look_passes_with_2xx_and_3xx(
    serve: Callable[[web.Application], str],
    run: Callable[[Coroutine[Any, Any, Any]], Any],
    status: int,
    passed: bool,  # noqa: FBT001 - a table of cases
) -> None:
    """A redirect is not followed: where it points is not the endpoint."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})

    app = web.Application()
    app.router.add_get("/health", answer)
    assert run(_look(f"{serve(app)}/health")) == Look(passed, f"HTTP {status}")


def test_a_look_at_nobody_fails_and_says_why(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """A refused connection, or an address that is none."""
    for url in ("http://127.0.0.1:1/health", "http://[::/health"):
        found = run(_look(url))
        assert not found.passed
        assert found.said


async def _look(url: str) -> Look:
    async with aiohttp.ClientSession() as session:
        return await look(session, _endpoint("a", url=url, host="127.0.0.1"))
