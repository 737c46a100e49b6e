"""Where ministack is corrected in process."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from ministack.services import apigateway_v1, lambda_svc

from emulator.aws import apigateway


def test_a_throttled_function_is_a_failed_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's own gateway response, by which the stack says 503: never Lambda's 429."""

    async def throttled(*_: Any, **__: Any) -> Any:
        return {"throttle": True, "error": True, "body": {"__type": "TooManyRequestsException"}}, None

    for name in ("_lambda_proxy_response", "_invoke_lambda_proxy_v1"):
        monkeypatch.setattr(apigateway_v1, name, getattr(apigateway_v1, name))
    monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", throttled)
    monkeypatch.setattr(apigateway_v1, "_build_lambda_event_v1", lambda *_, **__: {})
    apigateway.count_throttling_as_failed_integration()
    invoked = apigateway_v1._invoke_lambda_proxy_v1({"uri": ""}, *[None] * 10)  # noqa: SLF001 - what was corrected
    assert asyncio.run(invoked).response_type == "INTEGRATION_FAILURE"


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f:live"
THROTTLED = ({"throttle": True}, None)


class Environments:
    """Lambda as API Gateway sees it: an invocation beyond what is reserved is throttled."""

    def __init__(self, reserved: int) -> None:
        """None is busy."""
        self.reserved = reserved
        self.busy = self.most = 0
        self.free = asyncio.Event()
        self.begun: list[str] = []

    async def invoke(self, _function: str, event: str, **_scope: Any) -> Any:
        """Run until `free` is set."""
        if self.busy >= self.reserved:
            return THROTTLED
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.begun.append(event)
        await self.free.wait()
        self.busy -= 1
        return {"body": event}, None


@pytest.fixture
def invoke_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Environments], Any]:
    """Put a function's environments behind API Gateway; returns what a request calls."""

    def make(environments: Environments) -> Any:
        monkeypatch.setattr(apigateway_v1, "_call_lambda_raw", environments.invoke)
        monkeypatch.setattr(
            lambda_svc, "_get_func_record_for_ref_in_scope", lambda *_, **__: ({}, {"FunctionName": "f"}, "f")
        )
        monkeypatch.setattr(lambda_svc, "_reserved_concurrency", lambda *_: environments.reserved)
        apigateway.queue_for_busy_functions()
        return apigateway_v1._call_lambda_raw  # noqa: SLF001 - what was corrected

    return make


def test_requests_wait_for_a_busy_function_in_the_order_in_which_they_came(invoke_on: Any) -> None:
    """So a burst costs time and no 503, as on AWS, where it starts further environments."""

    async def burst() -> tuple[Environments, list[Any]]:
        environments = Environments(2)
        invoke = invoke_on(environments)
        requests = [asyncio.create_task(invoke(FUNCTION, str(number))) for number in range(6)]
        asyncio.get_running_loop().call_later(0.01, environments.free.set)
        return environments, await asyncio.gather(*requests)

    environments, answers = asyncio.run(burst())
    assert environments.most == environments.reserved
    assert answers == [({"body": str(number)}, None) for number in range(6)]
    assert environments.begun == [str(number) for number in range(6)]


@pytest.mark.parametrize("reserved", [0, 1])
def test_what_is_too_long_in_line_is_throttled(
    invoke_on: Any, monkeypatch: pytest.MonkeyPatch, reserved: int
) -> None:
    """And at once where nothing is reserved: that is how a function is switched off."""
    monkeypatch.setattr(apigateway, "TURN_WITHIN_S", 0.01 if reserved else 60.0)

    async def one_too_many() -> Any:
        environments = Environments(reserved)
        invoke = invoke_on(environments)
        holding = [asyncio.create_task(invoke(FUNCTION, "held")) for _ in range(reserved)]
        answer = await asyncio.wait_for(invoke(FUNCTION, "late"), 30)
        environments.free.set()
        return answer, await asyncio.gather(*holding)

    answer, held = asyncio.run(one_too_many())
    assert answer == THROTTLED
    assert held == [({"body": "held"}, None)] * reserved
