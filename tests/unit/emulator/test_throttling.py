"""Where ministack is corrected in process."""

import asyncio
from typing import Any

import pytest
from ministack.services import apigateway_v1

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
