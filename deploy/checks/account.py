"""What the account has to have for the stack: regions, quotas, and settings that belong to no stack."""

from typing import Final

from clients.checks import Check, Finding, failed, ok, unknown
from deploy.checks.subject import Subject
from topology.functions import FUNCTIONS
from topology.limits import LAMBDA_POLLER_CONCURRENCY
from topology.queues import WORK_QUEUES

_ENABLED: Final = frozenset({"opt-in-not-required", "opted-in"})
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Region.html"""

_ANSWERS: Final = "us-east-1"

_WITHOUT_QUEUE: Final = 2
"""Functions that no queue calls: reception, and Recovery; one invocation of each at least."""

_GET_ACCOUNT: Final = "apigateway:GET"


def account_checks(subject: Subject) -> tuple[Check, ...]:
    """The checks of the account that a stack is in."""
    checks = (
        subject.check(
            "region-enabled",
            "account",
            "the region is enabled",
            actions=("ec2:DescribeRegions",),
            run=_region_enabled,
            regions=(*subject.regions, *filter(None, [subject.config.witness_region])),
        ),
        subject.check(
            "lambda-concurrency",
            "account",
            "Lambda runs as many functions at once as the stack may need",
            actions=("lambda:GetAccountSettings",),
            run=_concurrency,
        ),
        subject.check(
            "api-throttle",
            "account",
            "API Gateway takes as many requests as the stack's key may send",
            actions=(_GET_ACCOUNT,),
            run=_throttle,
        ),
    )
    if not subject.config.api_access_log:
        return checks
    log = subject.check(
        "api-log-role",
        "account",
        "API Gateway may write the access log",
        actions=(_GET_ACCOUNT,),
        run=_log_role,
    )
    return (*checks, log)


def _region_enabled(subject: Subject, region: str) -> Finding:
    """Asked of a region that every account has: one that is not enabled takes no credentials."""
    answer = subject.client("ec2", _ANSWERS).describe_regions(RegionNames=[region], AllRegions=True)
    state = next((one.get("OptInStatus") for one in answer["Regions"]), None)
    if state in _ENABLED:
        return ok(str(state))
    hint = f"`aws account enable-region --region-name {region}`; it takes minutes to hours"
    return failed(f"{region} is {state or 'not there'} for this account", hint)


def _concurrency(subject: Subject, region: str) -> Finding:
    """A new account may have ten. Functions without a reservation share what others have not reserved.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
    """
    config = subject.config
    limits = subject.client("lambda", region).get_account_settings()["AccountLimit"]
    each = config.pollers_max * LAMBDA_POLLER_CONCURRENCY or config.event_source_concurrency
    reserved = config.reserved_concurrency * len(FUNCTIONS)
    needed = reserved or len(WORK_QUEUES) * each + _WITHOUT_QUEUE
    limit = limits["ConcurrentExecutions"] if reserved else limits["UnreservedConcurrentExecutions"]
    if limit >= needed:
        return ok(f"{limit} at once, {needed} needed")
    # The quota's code: https://docs.aws.amazon.com/general/latest/gr/lambda-service.html
    ask = f"aws service-quotas request-service-quota-increase --region {region} --service-code lambda"
    hint = f"`{ask} --quota-code L-B99A9384 --desired-value 1000`"
    left = "" if reserved else " that no function has reserved"
    return failed(f"{limit} functions at once{left}, the stack may need {needed}", hint)


def _throttle(subject: Subject, region: str) -> Finding:
    """The account's own limits, below which the usage plan's have no effect.

    https://docs.aws.amazon.com/apigateway/latest/api/API_GetAccount.html
    """
    limits = subject.client("apigateway", region).get_account().get("throttleSettings", {})
    rate, burst = limits.get("rateLimit"), limits.get("burstLimit")
    if rate is None or burst is None:
        return unknown("API Gateway does not say its limits")
    wanted = f"{subject.config.api_rate_limit} a second and a burst of {subject.config.api_burst_limit}"
    if rate < subject.config.api_rate_limit or burst < subject.config.api_burst_limit:
        hint = "lower apiRateLimit and apiBurstLimit, or ask AWS for more in Service Quotas"
        return failed(f"{rate:g} requests a second and a burst of {burst}, the stack has {wanted}", hint)
    return ok(f"{rate:g} requests a second and a burst of {burst}, the stack has {wanted}")


def _log_role(subject: Subject, region: str) -> Finding:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html ."""
    if subject.embedded:
        return unknown("the embedded AWS writes the access log itself, and has no role for it")
    role = subject.client("apigateway", region).get_account().get("cloudwatchRoleArn")
    if role:
        return ok(str(role))
    change = "op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN"
    return failed(
        "the account has no role by which API Gateway may write logs: nothing is logged",
        f"`aws apigateway update-account --region {region} --patch-operations {change}`",
    )
