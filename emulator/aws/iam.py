"""Condition keys of IAM that ministack lacks, for where IAM is enforced."""

import contextlib
import json
from typing import Any

import ministack.app
from ministack.core import iam_actions


def add_metric_namespaces() -> None:
    """Add the namespace that a metric is put into to IAM's conditions, as on AWS.

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

    A bucket's policy that refuses plain connections would otherwise refuse all of them where IAM is enforced.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda source_ip, _secure: pin(source_ip, secure_transport=True)
