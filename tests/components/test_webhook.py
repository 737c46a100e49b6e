"""The REST API of each region: routes, keys, validation, throttling and its own errors."""

import json
import re

import pytest

from components.gateway_errors import GATEWAY_ERRORS
from components.webhook import ROUTES, digest
from tests.components.recorder import ACCOUNT, Registered, Run

REGIONS = ("us-east-1", "us-west-2")
SERVED = {
    "aws:apigateway/integration:Integration",
    "aws:apigateway/method:Method",
    "aws:apigateway/resource:Resource",
    "aws:apigateway/response:Response",
}
"""What API Gateway takes a snapshot of at a deployment."""

RETRY = {"gatewayresponse.header.Retry-After": "'5'"}


@pytest.mark.parametrize("region", REGIONS)
def test_alerts_need_a_key_and_health_needs_none_and_no_body_is_checked(region: str, run: Run) -> None:
    """What the gateway refused nobody would see; reception takes what it can of it."""
    alerts = run.one("apigateway/method:Method", f"{region}-alerts").inputs
    health = run.one("apigateway/method:Method", f"{region}-health").inputs
    assert (alerts["httpMethod"], alerts["apiKeyRequired"]) == ("POST", True)
    assert (health["httpMethod"], health["apiKeyRequired"]) == ("GET", False)
    assert "requestValidatorId" not in alerts


@pytest.mark.parametrize("region", REGIONS)
def test_both_routes_go_to_the_alias_of_reception_as_they_are(region: str, run: Run) -> None:
    """AWS_PROXY: the handler sees the request and answers it whole."""
    function = f"mcp-incident-responder-{run.outputs['Stack']}-AlertReceptionFunction"
    for path in ("alerts", "health"):
        resource = run.one("apigateway/resource:Resource", f"{region}-{path}").inputs
        assert (resource["pathPart"], resource["parentId"]) == (path, "root")
        integration = run.one("apigateway/integration:Integration", f"{region}-{path}").inputs
        assert integration["type"] == "AWS_PROXY"
        assert integration["integrationHttpMethod"] == "POST"
        assert integration["resourceId"] == f"{region}-{path}-id"
        assert f":lambda:{region}:{ACCOUNT}:function:{function}:live/invocations" in integration["uri"]


@pytest.mark.parametrize("region", REGIONS)
def test_overload_and_failure_ask_to_retry_and_mistakes_do_not(region: str, run: Run) -> None:
    """Alertmanager sends again after a 5xx but drops the alert after a 429."""
    found = {
        r.inputs["responseType"]: (r.inputs.get("statusCode"), r.inputs.get("responseParameters"))
        for r in run.of("apigateway/response:Response", region=region)
    }
    assert found == {
        "DEFAULT_4XX": (None, None),
        "DEFAULT_5XX": ("503", RETRY),
        "INTEGRATION_FAILURE": ("503", RETRY),
        "INTEGRATION_TIMEOUT": ("503", RETRY),
        "THROTTLED": ("503", RETRY),
        "QUOTA_EXCEEDED": ("503", RETRY),
        "INVALID_API_KEY": ("403", None),
        "MISSING_AUTHENTICATION_TOKEN": ("404", None),
        "REQUEST_TOO_LARGE": ("413", None),
        "UNSUPPORTED_MEDIA_TYPE": ("415", None),
    }


def test_errors_of_the_gateway_have_the_form_of_all_errors(run: Run) -> None:
    """Whoever reads `error`, `field` and `hint` need not know who refused."""
    for response in run.of("apigateway/response:Response"):
        body = json.loads(response.inputs["responseTemplates"]["application/json"])
        assert body.keys() == {"error", "field", "hint"}
        assert body["field"] is None
        assert body["error"]
        assert body["hint"]
        assert "$" not in response.inputs["responseTemplates"]["application/json"]


@pytest.mark.parametrize("region", REGIONS)
def test_the_key_is_throttled_as_configured_on_the_stage(region: str, run: Run) -> None:
    """The usage plan joins key, stage and limits; without any of them the key would open nothing."""
    rate, burst = {"dev": (20, 40), "local": (500, 1000)}.get(run.outputs["Stack"], (100, 200))
    plan = run.one("apigateway/usagePlan:UsagePlan", f"{region}-sources").inputs
    assert plan["throttleSettings"] == {"rateLimit": rate, "burstLimit": burst}
    assert plan["apiStages"] == [{"apiId": f"{region}-api-id", "stage": "v1"}]
    link = run.one("apigateway/usagePlanKey:UsagePlanKey", f"{region}-sources").inputs
    assert (link["usagePlanId"], link["keyId"], link["keyType"]) == (
        f"{region}-sources-id",
        f"{region}-sources-id",
        "API_KEY",
    )


@pytest.mark.parametrize("region", REGIONS)
def test_a_flood_of_health_checks_cannot_take_the_functions(region: str, run: Run) -> None:
    """Each route without a key has a limit of its own, and only those routes."""
    limits = run.of("apigateway/methodSettings:MethodSettings", region=region)
    assert {one.inputs["methodPath"] for one in limits} == {"health/GET", "switch/GET"}
    for one in limits:
        assert one.inputs["settings"] == {"throttlingRateLimit": 20, "throttlingBurstLimit": 40}


@pytest.mark.parametrize("region", REGIONS)
def test_the_stage_is_deployed_after_all_that_it_serves(region: str, run: Run) -> None:
    """A deployment is a snapshot: what comes later is not in it."""
    (deployment,) = run.of("apigateway/deployment:Deployment", region=region)
    served = [
        resource.urn
        for type_ in ("method:Method", "integration:Integration", "response:Response")
        for resource in run.of(f"apigateway/{type_}", region=region)
    ]
    assert len(served) == 2 * len(ROUTES) + len(GATEWAY_ERRORS)
    assert set(served) <= set(deployment.depends_on)
    (stage,) = run.of("apigateway/stage:Stage", region=region)
    assert (stage.inputs["stageName"], stage.inputs["deployment"]) == ("v1", f"{region}-deployment-id")
    assert run.one("apigateway/restApi:RestApi", f"{region}-api").inputs["endpointConfiguration"] == {
        "types": "REGIONAL"
    }


@pytest.mark.parametrize("region", REGIONS)
def test_every_argument_of_what_a_stage_serves_deploys_it_again(region: str, run: Run) -> None:
    """API Gateway serves the old definition until it is deployed anew, whatever has changed in the API."""
    (deployment,) = run.of("apigateway/deployment:Deployment", region=region)
    served = {
        f"{resource.type.rpartition(':')[2]} {resource.name}": digest(_arguments(resource))
        for resource in run.resources
        if resource.type in SERVED and resource.inputs["region"] == region
    }
    assert len(served) == 3 * len(ROUTES) + len(GATEWAY_ERRORS)
    assert deployment.inputs["triggers"] == served


def test_what_is_no_part_of_a_stage_is_listed(optioned: Run) -> None:
    """A new type of API Gateway's is served by deployment, or belongs into this list."""
    apart = {"ApiKey", "BasePathMapping", "Deployment", "DomainName", "MethodSettings", "RestApi", "Stage"}
    apart |= {"UsagePlan", "UsagePlanKey"}
    types = {r.type for r in optioned.resources if r.type.startswith("aws:apigateway/")}
    assert {type_.rpartition(":")[2] for type_ in types - SERVED} == apart


def _arguments(resource: Registered) -> str:
    """The arguments as the component hands them over: names in snake case, without the region."""
    given = {re.sub("([A-Z])", r"_\1", name).lower(): v for name, v in resource.inputs.items()}
    del given["region"]
    return json.dumps(given, sort_keys=True)


@pytest.mark.parametrize("region", REGIONS)
def test_an_api_logs_its_answers_where_the_account_is_ready_for_it(region: str, optioned: Run) -> None:
    """One JSON object an answer, kept as long as the other logs; nothing about bodies, keys or callers."""
    group = optioned.one("cloudwatch/logGroup:LogGroup", f"{region}-api").inputs
    assert group["name"] == "/aws/apigateway/mcp-incident-responder-prod-api"
    assert group["retentionInDays"] == 30
    settings = optioned.one("apigateway/stage:Stage", f"{region}-stage").inputs["accessLogSettings"]
    assert settings["destinationArn"] == f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group['name']}"
    assert json.loads(settings["format"]) == {
        "request_id": "$context.requestId",
        "time_ms": "$context.requestTimeEpoch",
        "method": "$context.httpMethod",
        "path": "$context.resourcePath",
        "status": "$context.status",
    }


def test_an_api_logs_nothing_unless_it_is_configured(run: Run) -> None:
    """AWS refuses the stage in an account that has no role for it."""
    configured = run.outputs["Stack"] == "local"
    stages = run.of("apigateway/stage:Stage")
    assert ["accessLogSettings" in stage.inputs for stage in stages] == [configured, configured]
