"""AWS calls that a service makes by itself: Step Functions' SDK integrations, Scheduler's universal targets.

ministack answers Step Functions' from its own process, where a region's DynamoDB, S3 and Backup are empty,
and has no universal targets. Here both go to the endpoints that the region's functions use, through botocore,
so any call that AWS has works and a cut region's calls fail. Where IAM is enforced, they are made in the
target's role; what an export then writes to S3 is not checked against it.
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
"""

# ruff: noqa: SLF001 - it corrects ministack, and calls botocore's operations by name

import contextvars
import functools
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, UnknownServiceError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import Session
from ministack.core import lambda_runtime, responses
from ministack.services import stepfunctions

from emulator.ports import LOOPBACK

SERVICES: Final = {"sfn": "stepfunctions", "cloudwatchlogs": "logs", "eventbridge": "events"}
"""Botocore's names of the services for which AWS's own name differs."""

OPTIMISED: Final = "arn:aws:states:::dynamodb:"
"""Step Functions' own form of four calls of DynamoDB."""

CALL_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=15, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}
)


_machine_role: contextvars.ContextVar[str] = contextvars.ContextVar("machine_role", default="")
"""The role of the state machine whose task runs."""


class SdkCallError(Exception):
    """AWS refused the call, or there is no such call; `code` as the service gives it."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the code and the message for the caller's own answer."""
        super().__init__(message)
        self.code = code


def call(
    service: str, action: str, arguments: Mapping[str, Any], *, region: str, role_arn: str
) -> dict[str, Any]:
    """Make one call, named as in `aws-sdk:<service>:<action>`; its result in Step Functions' form.

    Names of arguments may be written in any case; times are ISO 8601.

    Raises:
        SdkCallError: it was refused, could not be made, or there is none of that name.
    """
    try:
        client = _client(SERVICES.get(service, service), region, *_keys_of(role_arn, region))
    except UnknownServiceError as error:
        raise SdkCallError("UnknownService", str(error)) from error
    model = client.meta.service_model
    name = next((n for n in model.operation_names if n.casefold() == action.casefold()), None)
    if name is None:
        raise SdkCallError("UnknownOperation", f"{service} has no call {action!r}")
    operation = model.operation_model(name)
    try:
        result = client._make_api_call(name, _wire(arguments, operation.input_shape))
    except ClientError as error:
        raise SdkCallError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
    except BotoCoreError as error:
        raise SdkCallError("SdkClientException", str(error)) from error
    result.pop("ResponseMetadata", None)
    document: dict[str, Any] = _sfn_form(result, operation.output_shape)
    return document


def install() -> None:
    """Have Step Functions call AWS as a function of its region does."""
    invoke, execute = stepfunctions._invoke_resource, stepfunctions._execute_task

    def executed(state: Any, given: Any, execution: Any, context: dict[str, Any]) -> Any:
        _machine_role.set(stepfunctions._state_machines[context["StateMachine"]["Id"]]["roleArn"])
        return execute(state, given, execution, context)

    def invoked(resource: str, input_data: Any) -> Any:
        if resource.startswith(OPTIMISED):
            resource = f"arn:aws:states:::aws-sdk:dynamodb:{resource.removeprefix(OPTIMISED)}"
        return invoke(resource, input_data)

    def integrated(resource: str, input_data: Any) -> dict[str, Any]:
        service, action = resource.partition("aws-sdk:")[2].split(".")[0].split(":")
        try:
            region, role_arn = responses.get_region(), _machine_role.get()
            return call(service, action, input_data or {}, region=region, role_arn=role_arn)
        except SdkCallError as error:
            code = "NoSuchKey" if error.code == "404" else error.code
            named = code if code.endswith("Exception") else f"{code}Exception"
            problem = stepfunctions._prefix_sdk_error(service, named)
            raise stepfunctions._ExecutionError(problem, str(error)) from error

    stepfunctions._execute_task = executed
    stepfunctions._invoke_resource = invoked
    stepfunctions._invoke_aws_sdk_integration = integrated


def _keys_of(role_arn: str, region: str) -> tuple[str, str, str]:
    """The account's keys, or a session of the role where IAM is enforced, as ministack gives functions."""
    name = role_arn.rpartition("/")[2]
    function = f"arn:aws:lambda:{region}:{responses.get_account_id()}:function:{name}"
    keys = lambda_runtime.execution_credentials(
        {"FunctionArn": function, "FunctionName": name, "Role": role_arn}
    )
    return keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]


@functools.cache
def _client(service: str, region: str, key: str, secret: str, token: str) -> Any:
    session = Session()
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=_endpoint(session.get_service_model(service).service_id),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token or None,
        config=CALL_CONFIG,
    )


def _endpoint(service_id: str) -> str:
    """Where the region's functions find the service: the durable process, or this one.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    variable = "AWS_ENDPOINT_URL_" + service_id.upper().replace(" ", "_").replace("-", "_")
    return os.environ.get(variable, f"http://{LOOPBACK}:{os.environ['GATEWAY_PORT']}")


def _wire(value: Any, shape: Shape | None) -> Any:
    """A state's value as botocore takes it; botocore refuses a name that the call does not have."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        names = {_sdk_name(shape, name).casefold(): str(name) for name in shape.members}
        known = {names.get(str(key).casefold(), str(key)): item for key, item in value.items()}
        return {key: _wire(item, shape.members.get(key)) for key, item in known.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_wire(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _wire(item, shape.value) for key, item in value.items()}
    if shape is not None and shape.type_name in {"integer", "long"} and isinstance(value, float):
        return int(value)  # JSONata has one kind of number
    return value


def _sfn_form(value: Any, shape: Shape | None) -> Any:
    """A result in Step Functions' form: names as in the Java SDK, times as text."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {_sdk_name(shape, key): _sfn_form(item, shape.members.get(key)) for key, item in value.items()}
    if isinstance(shape, ListShape):
        return [_sfn_form(item, shape.member) for item in value]
    if isinstance(shape, MapShape):
        return {key: _sfn_form(item, shape.value) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "read"):
        value = value.read()
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value


def _sdk_name(shape: Shape, name: str) -> str:
    sdk_name: str = _RENAMED.get((str(shape.name), name)) or stepfunctions._api_name_to_sfn_key(name)
    return sdk_name


_RENAMED: Final[dict[tuple[str, str], str]] = stepfunctions._SDK_MEMBER_NAME_OVERRIDES
"""Members that are named otherwise in the Java SDK, by shape and name."""
