"""Where ministack does not do as AWS does, and the pipeline or its operators count on AWS: mended in process.

`emulator.host` installs them. They reach into ministack's private functions, so they are few, and
ministack's version is pinned.
"""

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
import types
import zipfile
from pathlib import Path
from typing import Any, Final

import ministack.app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, responses
from ministack.services import apigateway_v1, lambda_svc, route53, sqs

from emulator.fault_log import FaultLog

DIGEST_DIGITS: Final = 32
"""Of a package's folder name."""

POLLS_LOGGED_EACH_S: Final = 1.0
"""A denied mapping polls on, as fast as the others have work."""


def share_reserved_concurrency() -> None:
    """Have a function's reserved concurrency hold for its versions and aliases too, as on AWS.

    ministack looks for it on the record that is invoked, and a version's record has none: everything here
    is invoked through an alias, so a burst would start a worker for each request.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    """
    of_record = lambda_svc._reserved_concurrency  # noqa: SLF001 - the one place that decides it

    def of_function(record: dict[str, Any], config: dict[str, Any]) -> int | None:
        function = lambda_svc._functions.get(config.get("FunctionName"))  # noqa: SLF001 - where it is stored
        reserved: int | None = of_record(function or record, config)
        return reserved

    lambda_svc._reserved_concurrency = of_function  # noqa: SLF001 - as above


def count_throttling_as_failed_integration() -> None:
    """Have an API answer a throttled function's caller by its own gateway response, as on AWS.

    ministack hands Lambda's 429 through, whose callers give up where they would send again after a 5xx.
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


def share_unpacked_packages(folder: Path) -> None:
    """Have the workers of one package share it unpacked in `folder`, each through a symbolic link.

    ministack unpacks a package for every worker: 7,000 files and seconds of processor time for the largest of
    ours, at each cold start, and again to remove them.
    """

    class SharedZip(zipfile.ZipFile):
        def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:
            package = Path(str(self.filename))
            shared = folder / hashlib.sha256(package.read_bytes()).hexdigest()[:DIGEST_DIGITS]
            if not shared.exists():
                self._unpack_to(shared)
            Path(path).rmdir()
            Path(path).symlink_to(shared, target_is_directory=True)

        def _unpack_to(self, shared: Path) -> None:
            """In one step, as other threads and the other region's process may do the same."""
            folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(dir=folder))
            super().extractall(draft)
            try:
                draft.rename(shared)
            except OSError:
                if not shared.exists():
                    raise
                shutil.rmtree(draft)

    shared_zip = types.SimpleNamespace(**vars(zipfile))
    shared_zip.ZipFile = SharedZip
    lambda_runtime.zipfile = shared_zip


def keep_health_checks_as_told() -> None:
    """Have Route 53 keep a health check's lists, and write its booleans so that SDKs can read them.

    ministack takes the id of each child of a calculated check for empty, and writes `True` where XML has
    `true`, which every AWS SDK reads as false: no check would be calculated, inverted or disabled.
    https://www.w3.org/TR/xmlschema-2/#boolean
    """
    parse, build = route53._parse_health_check_config, route53._build_health_check_el  # noqa: SLF001 - all goes by these

    def parse_with_lists(element: Any) -> dict[str, Any]:
        config: dict[str, Any] = parse(element)
        for name in ("ChildHealthChecks", "Regions"):
            if name in config:
                config[name] = [item.text for item in route53._find(element, name)]  # noqa: SLF001 - as above
        return config

    def build_with_xml_booleans(parent: Any, check: dict[str, Any]) -> None:
        config = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in check["config"].items()
        }
        build(parent, {**check, "config": config})

    route53._parse_health_check_config = parse_with_lists  # noqa: SLF001 - as above
    route53._build_health_check_el = build_with_xml_booleans  # noqa: SLF001 - as above


def honour_queue_denials(log: FaultLog) -> None:
    """Have an explicit Deny in a queue's policy hold, for calls and for event source mappings, as on AWS.

    ministack reads a queue's policy only where it enforces all of IAM, and for mappings never. FIS has no
    action on SQS; such a policy is how a queue is taken away there, so the same action works on both.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html
    """
    check, receive = sqs._enforce_queue_policy, sqs._receive_messages_for_esm  # noqa: SLF001 - the only gates
    logged_at: dict[str, float] = {}

    def enforce(queue: dict[str, Any], action: str) -> None:
        check(queue, action)
        if _denied(queue, action):
            _note(log, queue, action)
            raise sqs._Err("AccessDenied", f"Access to {_arn(queue)} is denied by its policy.", 403)  # noqa: SLF001 - what its handlers answer

    def receive_unless_denied(queue_url: str, number: int) -> list[dict[str, Any]]:
        queue = sqs._queues.get(queue_url)  # noqa: SLF001 - where it is stored
        if queue is not None and _denied(queue, "sqs:ReceiveMessage"):
            if time.monotonic() - logged_at.get(queue_url, 0.0) >= POLLS_LOGGED_EACH_S:
                logged_at[queue_url] = time.monotonic()
                _note(log, queue, "sqs:ReceiveMessage by an event source mapping")
            return []
        messages: list[dict[str, Any]] = receive(queue_url, number)
        return messages

    sqs._enforce_queue_policy = enforce  # noqa: SLF001 - as above
    sqs._receive_messages_for_esm = receive_unless_denied  # noqa: SLF001 - as above


def tell_metric_namespaces() -> None:
    """Have IAM, where it is enforced, know the namespace that a metric is put into, as on AWS.

    A metric has no ARN: the namespace is all that a role's permission can be narrowed to.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
    """
    context_of = iam_actions.request_tag_context

    def with_namespace(service: str, action: str, body: bytes, parameters: Any) -> dict[str, Any]:
        context: dict[str, Any] = context_of(service, action, body, parameters)
        if action != "cloudwatch:PutMetricData":
            return context
        with contextlib.suppress(ValueError):
            context = {**context, "cloudwatch:namespace": json.loads(body)["Namespace"]}
        return context

    iam_actions.request_tag_context = with_namespace


def count_connections_as_encrypted() -> None:
    """Have `aws:SecureTransport` hold for every call: none leaves the machine, and none speaks TLS here.

    A bucket's policy that refuses plain connections would else refuse all of them where IAM is enforced.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda source_ip, _secure: pin(source_ip, secure_transport=True)


class _ThrottledError(Exception):
    """A function takes no more now; it never leaves this module."""


def _denied(queue: dict[str, Any], action: str) -> bool:
    policy = queue["attributes"].get("Policy")
    if not policy:
        return False
    asked = iam_evaluator.EvalContext(
        principal_arn=iam_evaluator.caller_arn(),
        principal_type="Root",
        principal_account=responses.get_account_id(),
        action=action,
        resource_arn=_arn(queue),
        region=responses.get_region(),
    )
    return not iam_evaluator.resource_policy_allows(policy, asked, same_account=True)


def _arn(queue: dict[str, Any]) -> str:
    return str(queue["attributes"].get("QueueArn", ""))


def _note(log: FaultLog, queue: dict[str, Any], action: str) -> None:
    what = f"{action} on {_arn(queue).rpartition(':')[2]}"
    log.add(service="sqs", kind="denied", region=responses.get_region(), what=what)
