"""A schedule whose time has come calls AWS where its region's functions do, with what its input says."""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import ministack.app
import pytest
from aiohttp import web
from ministack.services import eventbridge, scheduler, stepfunctions

from emulator.aws import scheduler as schedules
from emulator.aws import sdk_calls

REGION = "eu-central-1"


@pytest.fixture
def calls() -> list[tuple[str, dict[str, Any]]]:
    """Target and body of each call that DynamoDB received."""
    return []


@pytest.fixture
def dynamodb(
    serve: Callable[[web.Application], str],
    calls: list[tuple[str, dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """DynamoDB's endpoint as a region's process is told it, and ministack with its schedules corrected."""

    async def answer(request: web.Request) -> web.Response:
        calls.append((request.headers["X-Amz-Target"].partition(".")[2], await request.json()))
        if "Missing" in calls[-1][1].get("TableName", ""):
            problem = {"__type": "x#ResourceNotFoundException", "message": "no such table"}
            return web.json_response(problem, status=400)
        item = {"id": {"S": "a"}, "none": {"NULL": True}}
        return web.json_response({"Item": item, "ConsumedCapacity": {"CapacityUnits": 0.5}})

    app = web.Application()
    app.router.add_post("/", answer)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", serve(app))
    monkeypatch.setenv("GATEWAY_PORT", "1")
    sdk_calls._client.cache_clear()  # noqa: SLF001 - it holds the endpoint of another test
    before = {module: dict(vars(module)) for module in (ministack.app, eventbridge, scheduler, stepfunctions)}
    schedules.install()
    sdk_calls.install()
    yield
    scheduler.reset()
    for module, names in before.items():
        vars(module).update(names)


def due(expression: str, arguments: dict[str, Any]) -> None:
    """A schedule whose time has come, and one look of ministack at its schedules."""
    key = ("000000000000", REGION, "default/due")
    scheduler._schedules._data[key] = {  # noqa: SLF001 - a schedule would have to wait a minute for its time
        "Arn": f"arn:aws:scheduler:{REGION}:000000000000:schedule/default/due",
        "Name": "due",
        "State": "ENABLED",
        "ScheduleExpression": expression,
        "CreationDate": time.time() - 600,
        "Target": {
            "Arn": "arn:aws:scheduler:::aws-sdk:dynamodb:getItem",
            "RoleArn": "arn:aws:iam::000000000000:role/schedules",
            "Input": json.dumps(arguments),
        },
    }
    scheduler._schedule_last_fired[key] = time.time() - 600  # noqa: SLF001 - as above
    scheduler._tick_schedules()  # noqa: SLF001 - it looks every ten seconds
    scheduler._schedule_last_fired.clear()  # noqa: SLF001 - of this test only


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize(
    ("expression", "seconds"), [("cron(* * * * ? *)", r"00"), ("rate(1 minutes)", r"\d\d")]
)
def test_context_attributes_are_filled_in(
    calls: list[tuple[str, dict[str, Any]]], expression: str, seconds: str
) -> None:
    """The scheduled time is that of the schedule: a cron has whole minutes, however late it is."""
    names = ("scheduled-time", "schedule-arn", "execution-id", "attempt-number")
    key = {name: {"S": f"at <aws.scheduler.{name}>"} for name in names}
    due(expression, {"TableName": "table", "Key": key})
    [(operation, body)] = calls
    assert operation == "GetItem"
    filled = {name: value["S"] for name, value in body["Key"].items()}
    assert re.fullmatch(rf"at \d{{4}}-\d\d-\d\dT\d\d:\d\d:{seconds}Z", filled["scheduled-time"])
    assert filled["schedule-arn"].endswith("schedule/default/due")
    assert filled["attempt-number"] == "at 1"
    assert "<" not in filled["execution-id"]


@pytest.mark.usefixtures("dynamodb")
def test_target_that_refuses_does_not_stop_the_others(
    calls: list[tuple[str, dict[str, Any]]], caplog: pytest.LogCaptureFixture
) -> None:
    """Its error is logged, with the schedule's name and AWS's own words."""
    due("rate(1 minutes)", {"TableName": "Missing", "Key": {"id": {"S": "a"}}})
    assert [operation for operation, _ in calls] == ["GetItem"]
    assert "schedule due: ResourceNotFoundException: no such table" in caplog.text


@pytest.mark.usefixtures("dynamodb")
def test_result_has_the_names_of_step_functions() -> None:
    """The Java SDK's: DynamoDB's NULL is Nul; the names of an item's attributes are left alone."""
    answer = sdk_calls.call(
        "dynamodb", "getItem", {"tableName": "table", "Key": {"id": {"S": "a"}}}, region=REGION, role_arn="r"
    )
    assert answer["Item"] == {"id": {"S": "a"}, "none": {"Nul": True}}
    assert answer["ConsumedCapacity"] == {"CapacityUnits": 0.5}


@pytest.mark.usefixtures("dynamodb")
@pytest.mark.parametrize(
    ("service", "action", "arguments", "code"),
    [
        ("nothing", "getItem", {}, "UnknownService"),
        ("dynamodb", "getEverything", {}, "UnknownOperation"),
        ("dynamodb", "getItem", {"Table": "x"}, "SdkClientException"),
        ("dynamodb", "getItem", {"TableName": "Missing", "Key": {}}, "ResourceNotFoundException"),
        ("sqs", "listQueues", {}, "SdkClientException"),
    ],
)
def test_call_that_cannot_be_made_says_why(
    service: str, action: str, arguments: dict[str, Any], code: str
) -> None:
    """No such service or call, arguments that it does not take, AWS's refusal, an endpoint that is away."""
    with pytest.raises(sdk_calls.SdkCallError) as refused:
        sdk_calls.call(service, action, arguments, region=REGION, role_arn="r")
    assert refused.value.code == code
