"""Route 53's rules for health checks, with a clock of our own; and one observation of a real server."""

from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from emulator.route53.health_checks import HealthCheckRegistry, Observation, observe
from emulator.route53.hosted_zones import HealthCheck, health_check

GOOD, BAD = Observation(passed=True, result="HTTP 200"), Observation(passed=False, result="HTTP 503")
SECOND = 1_000


def _endpoint(identifier: str, **other: Any) -> HealthCheck:
    values = {"type": "HTTP", "url": "http://127.0.0.1:1/health", "interval_s": 10, "failures": 3} | other
    return HealthCheck(id=identifier, name=identifier, **values)


def _calculated(identifier: str, *children: str, threshold: int, **other: Any) -> HealthCheck:
    return HealthCheck(
        id=identifier, name=identifier, type="CALCULATED", children=children, threshold=threshold, **other
    )


def _registry(*checks: HealthCheck) -> HealthCheckRegistry:
    registry = HealthCheckRegistry()
    registry.set_checks({check.id: check for check in checks}, now_ms=0)
    return registry


def _note(
    registry: HealthCheckRegistry, identifier: str, *observations: Observation, from_ms: int = 0
) -> None:
    for number, observation in enumerate(observations):
        registry.note(identifier, observation, from_ms + number * 10 * SECOND)


def test_as_many_failures_in_a_row_as_configured_make_it_unhealthy() -> None:
    """One pass between them starts the count again."""
    registry = _registry(_endpoint("a"))
    _note(registry, "a", BAD, BAD, GOOD, BAD, BAD)
    assert registry.is_healthy("a")
    _note(registry, "a", BAD, from_ms=60_000)
    assert not registry.is_healthy("a")
    assert [(s.since_ms, s.last_result) for s in registry.statuses()] == [(60_000, "HTTP 503")]


def test_it_takes_as_many_passes_to_be_healthy_again() -> None:
    """A region that flaps is not sent everything at its first answer."""
    registry = _registry(_endpoint("a", failures=2))
    _note(registry, "a", BAD, BAD, GOOD, BAD, GOOD)
    assert not registry.is_healthy("a")
    _note(registry, "a", GOOD)
    assert registry.is_healthy("a")


def test_a_new_check_is_healthy_and_a_new_inverted_one_is_not() -> None:
    """Until there are enough looks, as in Route 53."""
    registry = _registry(_endpoint("a"), _endpoint("i", inverted=True, failures=2))
    assert registry.is_healthy("a")
    assert not registry.is_healthy("i")
    _note(registry, "i", BAD, BAD)
    assert registry.is_healthy("i")
    _note(registry, "i", GOOD, GOOD)
    assert not registry.is_healthy("i")


def test_a_disabled_check_passes_for_ever_and_is_not_observed() -> None:
    """Which is why the program pins `disabled` to false."""
    registry = _registry(_endpoint("a", disabled=True), _endpoint("i", disabled=True, inverted=True))
    assert registry.due(0) == []
    assert registry.next_due_ms() is None
    assert registry.is_healthy("a")
    assert not registry.is_healthy("i")


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
    registry = _registry(_calculated("c", "a", "b", threshold=threshold), *children)
    for name in bad:
        _note(registry, name, BAD)
    assert registry.is_healthy("c") is healthy


def test_a_calculated_check_changes_with_its_child_in_the_same_moment() -> None:
    """Inverted or not; its time is the child's."""
    registry = _registry(
        _endpoint("a", failures=1),
        _calculated("c", "a", threshold=1),
        _calculated("not", "a", threshold=1, inverted=True),
    )
    _note(registry, "a", BAD, from_ms=7_000)
    assert (registry.is_healthy("c"), registry.is_healthy("not")) == (False, True)
    assert {status.since_ms for status in registry.statuses()} == {7_000}


def test_what_is_unknown_is_not_healthy() -> None:
    """A check that is gone, one of another type, a child that does not exist or is calculated itself."""
    registry = _registry(
        _endpoint("tcp", type="TCP", url=""),
        _calculated("orphan", "gone", threshold=1),
        _endpoint("a"),
        _calculated("c", "a", threshold=1),
        _calculated("of-calculated", "c", threshold=1),
    )
    for name in ("nobody", "tcp", "orphan", "of-calculated"):
        assert not registry.is_healthy(name), name


def test_each_check_is_due_at_its_interval_and_never_twice_at_once() -> None:
    """The first observation comes at once; a slow one delays the next."""
    registry = _registry(_endpoint("a", interval_s=10), _endpoint("b", interval_s=30))
    start = 10**12
    assert {check.id for check in registry.due(start)} == {"a", "b"}
    assert registry.due(start + 60 * SECOND) == [], "both are being observed"
    _note(registry, "a", GOOD, from_ms=start)
    _note(registry, "b", GOOD, from_ms=start)
    assert registry.next_due_ms() == start + 10 * SECOND
    assert registry.due(start + 10 * SECOND - 1) == []
    assert [check.id for check in registry.due(start + 10 * SECOND)] == ["a"]


def test_pace_shortens_every_interval() -> None:
    """For tests that cannot wait for half a minute."""
    registry = _registry(_endpoint("a"))
    start = 10**12
    registry.due(start)
    _note(registry, "a", GOOD, from_ms=start)
    registry.pace = 0.05
    assert registry.next_due_ms() == start + SECOND / 2


def test_what_is_known_of_a_check_outlives_a_change_of_the_others() -> None:
    """And what is gone is forgotten, even while it is looked at."""
    registry = _registry(_endpoint("a", failures=1), _endpoint("b"))
    _note(registry, "a", BAD)
    registry.set_checks({"a": _endpoint("a", failures=1)}, now_ms=1)
    _note(registry, "b", BAD)
    assert not registry.is_healthy("a")
    assert [status.id for status in registry.statuses()] == ["a"]


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
    assert run(_observe(f"{serve(app)}/health")) == Observation(passed, f"HTTP {status}")


def test_a_look_at_nobody_fails_and_says_why(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """A refused connection, or an address that is none."""
    for url in ("http://127.0.0.1:1/health", "http://[::/health"):
        observation = run(_observe(url))
        assert not observation.passed
        assert observation.result


async def _observe(url: str) -> Observation:
    async with aiohttp.ClientSession() as session:
        return await observe(session, _endpoint("a", url=url, host="127.0.0.1"))
