"""API Gateway: deployments, the access log ministack takes settings for and never writes, busy functions.

`emulator.aws.host` installs all. A stage with `accessLogSettings` gets a line for each answer in the log
group that they name. Only the variables that the pipeline's own format uses are known.
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

import asyncio
import copy
import json
import time
from contextvars import ContextVar
from typing import Any, Final

from ministack.services import apigateway_v1, cloudwatch_logs, lambda_svc

_STREAM: Final = "access"
"""The name of every log's only stream. AWS names streams by a hash; no reader depends on it."""

_SNAPSHOT: Final = "resources"
"""Under which a deployment keeps what its API was made of."""

TURN_WITHIN_S: Final = 5.0
"""How long a request waits for a busy function: half of what sources wait for their answer."""

_request: ContextVar[dict[str, Any] | None] = ContextVar("request", default=None)
"""Ministack's record of the request under way."""


def write_access_logs() -> None:
    """Write the access logs from now on, and give Lambda the request id that is in them.

    ministack gives the function another id than its own error responses have; on AWS both are one.
    """
    handle, execute = apigateway_v1._handle_execute_in_scope, apigateway_v1._execute_in_scope  # noqa: SLF001 - around every request
    build_event = apigateway_v1._build_lambda_event_v1  # noqa: SLF001 - where the function's request id is made

    async def handle_and_log(
        api_id: str, stage_name: str, method: str, path: str, *rest: Any
    ) -> tuple[int, dict[str, str], bytes]:
        token = _request.set(None)
        try:
            begun_ms = time.time_ns() // 1_000_000
            answer: tuple[int, dict[str, str], bytes] = await handle(api_id, stage_name, method, path, *rest)
            request = _request.get()
            if request is not None:
                variables = {
                    "$context.requestId": request["request_id"],
                    "$context.requestTimeEpoch": str(begun_ms),
                    "$context.httpMethod": method,
                    "$context.resourcePath": request["resource_path"] or path,
                    "$context.status": str(answer[0]),
                }
                _write((request["stage"] or {}).get("accessLogSettings") or {}, variables)
            return answer
        finally:
            _request.reset(token)

    async def execute_and_remember(request: dict[str, Any], *rest: Any) -> Any:
        _request.set(request)
        return await execute(request, *rest)

    def event_with_its_id(*given: Any, **named: Any) -> dict[str, Any]:
        event: dict[str, Any] = build_event(*given, **named)
        request = _request.get()
        if request is not None:
            event["requestContext"]["requestId"] = request["request_id"]
        return event

    apigateway_v1._handle_execute_in_scope = handle_and_log  # noqa: SLF001 - as above
    apigateway_v1._execute_in_scope = execute_and_remember  # noqa: SLF001 - as above
    apigateway_v1._build_lambda_event_v1 = event_with_its_id  # noqa: SLF001 - as above


def _write(settings: dict[str, str], variables: dict[str, str]) -> None:
    """Append one line, within the region of the request. No settings or no such group: no log, as on AWS."""
    group = settings.get("destinationArn", "").partition(":log-group:")[2]
    if group not in cloudwatch_logs._log_groups:  # noqa: SLF001 - where they are stored
        return
    line = settings["format"]
    for name, value in variables.items():
        line = line.replace(json.dumps(name), json.dumps(value))
    if _STREAM not in cloudwatch_logs._log_groups[group]["streams"]:  # noqa: SLF001 - as above
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": _STREAM})  # noqa: SLF001 - the API's own handler
    event = {"timestamp": int(variables["$context.requestTimeEpoch"]), "message": line}
    cloudwatch_logs._put_log_events(  # noqa: SLF001 - the API's own handler
        {"logGroupName": group, "logStreamName": _STREAM, "logEvents": [event]}
    )


def serve_deployments() -> None:
    """Answer by the paths, methods and integrations as of the stage's deployment, as on AWS.

    ministack does so for gateway responses, and answers by the API as it is for all else. The snapshot is a
    part of the deployment, so that it is saved with it.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
    """
    create, match = apigateway_v1._create_deployment, apigateway_v1._match_resource_tree  # noqa: SLF001 - the two ends of it
    deployments, resources = apigateway_v1._deployments_v1, apigateway_v1._resources  # noqa: SLF001 - where they are stored

    def create_with_snapshot(api_id: str, data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        answer: tuple[int, dict[str, str], bytes] = create(api_id, data)
        deployment = deployments.get(api_id, {}).get(json.loads(answer[2]).get("id"))
        if deployment is not None:
            deployment[_SNAPSHOT] = copy.deepcopy(resources.get(api_id, {}))
        return answer

    def match_deployed(api_id: str, segments: list[str]) -> Any:
        stage = (_request.get() or {}).get("stage") or {}
        snapshot = deployments.get(api_id, {}).get(stage.get("deploymentId"), {}).get(_SNAPSHOT)
        root = next((one for one in (snapshot or {}).values() if one["path"] == "/"), None)
        if root is None:
            return match(api_id, segments)
        return (
            apigateway_v1._match_recursive(snapshot, root["id"], segments, {})  # noqa: SLF001 - as `match` does
            if segments
            else (root, {})
        )

    apigateway_v1._create_deployment = create_with_snapshot  # noqa: SLF001 - as above
    apigateway_v1._match_resource_tree = match_deployed  # noqa: SLF001 - as above


def join_stages_to_usage_plans() -> None:
    """Add and remove the stages of a usage plan by `<api>:<stage>`, which ministack takes for the whole list.

    https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateUsagePlan-Patch
    """
    update, plans = apigateway_v1._update_usage_plan, apigateway_v1._usage_plans  # noqa: SLF001 - where they are stored

    def update_with_stages(plan_id: str, data: dict[str, Any]) -> Any:
        operations = data.get("patchOperations", [])
        plan = plans.get(plan_id) or {}
        for operation in (one for one in operations if one["path"] == "/apiStages"):
            api, _, stage = operation["value"].partition(":")
            member = {"apiId": api, "stage": stage}
            others = [one for one in plan.get("apiStages", []) if one | member != one]
            plan["apiStages"] = [*others, *([member] if operation["op"] == "add" else [])]
        rest = [one for one in operations if one["path"] != "/apiStages"]
        return update(plan_id, {**data, "patchOperations": rest})

    apigateway_v1._update_usage_plan = update_with_stages  # noqa: SLF001 - as above


def queue_for_busy_functions() -> None:
    """Have requests wait while all that is reserved of their function is in use: first come, first served.

    AWS would throttle them too, but no stack there reserves as few environments as one machine bears: a burst
    starts further ones. What is still in line after `TURN_WITHIN_S` is throttled, and so is every request to
    a function with nothing reserved.
    """
    call = apigateway_v1._call_lambda_raw  # noqa: SLF001 - each request passes here once
    turns: dict[tuple[str, int], asyncio.Semaphore] = {}

    async def call_in_turn(function: str, event: Any, **scope: Any) -> Any:
        record, config, _ = lambda_svc._get_func_record_for_ref_in_scope(function, **scope)  # noqa: SLF001 - as `call` does
        reserved = lambda_svc._reserved_concurrency(record, config) if config else None  # noqa: SLF001 - the one place that decides it
        if not reserved:
            return await call(function, event, **scope)
        turn = turns.setdefault((function, reserved), asyncio.Semaphore(reserved))
        try:
            await asyncio.wait_for(turn.acquire(), TURN_WITHIN_S)
        except TimeoutError:
            return await call(function, event, **scope)
        try:
            return await call(function, event, **scope)
        finally:
            turn.release()

    apigateway_v1._call_lambda_raw = call_in_turn  # noqa: SLF001 - as above


def count_throttling_as_failed_integration() -> None:
    """Have an API answer a throttled function's caller by its own gateway response, as on AWS.

    ministack passes Lambda's 429 on, at which callers give up where they would retry after a 5xx.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    """
    answer_of, invoke = apigateway_v1._lambda_proxy_response, apigateway_v1._invoke_lambda_proxy_v1  # noqa: SLF001 - all goes by these

    def answer_unless_throttled(result: dict[str, Any]) -> Any:
        if result.get("throttle"):
            raise _ThrottledError
        return answer_of(result)

    async def invoke_or_fail(*given: Any, **named: Any) -> Any:
        try:
            return await invoke(*given, **named)
        except _ThrottledError:
            return apigateway_v1._gw_error("INTEGRATION_FAILURE", "Internal server error")  # noqa: SLF001 - its own form of these

    apigateway_v1._lambda_proxy_response = answer_unless_throttled  # noqa: SLF001 - as above
    apigateway_v1._invoke_lambda_proxy_v1 = invoke_or_fail  # noqa: SLF001 - as above


class _ThrottledError(Exception):
    """A function is throttled; the error never leaves this module."""
