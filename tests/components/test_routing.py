"""A stack with a domain: certificates, custom domains, health checks and the two records that fail over."""

from collections.abc import Callable

import pytest
from pulumi.runtime import rpc

from tests.components.recorder import ACCOUNT, DOMAIN, ZONE, Registered, Run
from topology import outputs

PRIMARY, FAILOVER = "us-east-1", "us-west-2"
REGIONS = (PRIMARY, FAILOVER)


@pytest.fixture
def run(optioned: Run) -> Run:
    """The run of prod with a domain."""
    return optioned


def _check(run: Run, name: str) -> Registered:
    return run.one("route53/healthCheck:HealthCheck", name)


def _id(resource: Registered) -> str:
    return f"{resource.name}-id"


def test_outputs_are_all_that_scripts_are_promised(run: Run) -> None:
    """With a domain the optional ones are there too."""
    assert run.outputs.keys() == outputs.ALL
    assert run.outputs["AlertsUrl"] == f"https://{DOMAIN}/alerts"
    assert run.outputs["ApiDomainName"] == f"d-abc.execute-api.{PRIMARY}.amazonaws.com"
    assert run.outputs["FailoverApiDomainName"] == f"d-abc.execute-api.{FAILOVER}.amazonaws.com"


def test_without_a_domain_nothing_of_it_is_registered(run_of: Callable[[str], Run]) -> None:
    """Sources retry the other region's URL instead."""
    run = run_of("prod")
    assert not [r for r in run.resources if "route53" in r.type or "acm" in r.type or "omain" in r.type]
    assert run.outputs.keys() == outputs.ALL - set(outputs.OPTIONAL)


@pytest.mark.parametrize("region", REGIONS)
def test_each_region_is_looked_at_by_its_own_url(run: Run, region: str) -> None:
    """The shared name would only show where it points already."""
    for what, path in (("health", "/v1/health"), ("switch-off", "/v1/switch")):
        inputs = _check(run, f"{region}-{what}").inputs
        assert inputs["type"] == "HTTPS"
        assert inputs["fqdn"].endswith(f".execute-api.{region}.amazonaws.com")
        assert (inputs["port"], inputs["resourcePath"]) == (443, path)
        assert (inputs["requestInterval"], inputs["failureThreshold"]) == (10, 3)


@pytest.mark.parametrize(("region", "other"), [REGIONS, REGIONS[::-1]])
def test_a_region_serves_while_it_is_healthy_and_the_other_does_not_claim_everything(
    run: Run, region: str, other: str
) -> None:
    """Turning on a region's own switch must not take that region out."""
    serves = _check(run, f"{region}-serves").inputs
    health, switch_off = _check(run, f"{region}-health"), _check(run, f"{other}-switch-off")
    assert serves["type"] == "CALCULATED"
    assert sorted(serves["childHealthchecks"]) == sorted([_id(health), _id(switch_off)])
    assert serves["childHealthThreshold"] == 2
    assert switch_off.inputs["invertHealthcheck"] is True
    assert health.inputs["invertHealthcheck"] is serves["invertHealthcheck"] is False


def test_no_check_can_stay_disabled(run: Run) -> None:
    """AWS takes a disabled check for healthy, so each deployment turns it on again."""
    checks = run.of("route53/healthCheck:HealthCheck")
    assert len(checks) == 6
    assert all(check.inputs["disabled"] is False for check in checks)
    assert {check.inputs["tags"]["Name"] for check in checks} == {
        f"mcp-incident-responder-prod-{region}-{what}"
        for region in REGIONS
        for what in ("health", "switch-off", "serves")
    }


@pytest.mark.parametrize(("region", "role"), [(PRIMARY, "PRIMARY"), (FAILOVER, "SECONDARY")])
def test_the_name_points_to_the_region_that_serves(run: Run, region: str, role: str) -> None:
    """Both records have a check: one without would be answered however its region is."""
    record = run.one("route53/record:Record", f"{region}-alerts").inputs
    assert (record["zoneId"], record["name"], record["type"]) == (ZONE, DOMAIN, "CNAME")
    assert record["failoverRoutingPolicies"] == [{"type": role}]
    assert record["healthCheckId"] == _id(_check(run, f"{region}-serves"))
    assert record["records"] == [f"d-abc.execute-api.{region}.amazonaws.com"]
    assert record["setIdentifier"] == region
    assert record["ttl"] == 10


def test_one_record_validates_the_certificates_of_both_regions(run: Run) -> None:
    """ACM asks for the same one in every region, and Route 53 refuses to create it twice."""
    (proof,) = [r for r in run.of("route53/record:Record") if r.inputs["name"] != DOMAIN]
    assert proof.inputs["name"] == f"_proof.{DOMAIN}."
    assert proof.inputs["allowOverwrite"] is True
    for region in REGIONS:
        (valid,) = run.of("acm/certificateValidation:CertificateValidation", region=region)
        (domain,) = run.of("apigateway/domainName:DomainName", region=region)
        arn = f"arn:aws:acm:{region}:{ACCOUNT}:certificate/0f0f"
        assert valid.inputs["certificateArn"] == domain.inputs["regionalCertificateArn"] == arn
        assert valid.inputs["validationRecordFqdns"] == [f"_proof.{DOMAIN}"]


def test_the_domain_serves_the_stage_of_its_own_region(run: Run) -> None:
    """At its root, so that the path is the same as under the stage."""
    for region in REGIONS:
        (mapping,) = run.of("apigateway/basePathMapping:BasePathMapping", region=region)
        (api,) = run.of("apigateway/restApi:RestApi", region=region)
        assert mapping.inputs["restApi"] == _id(api)
        assert mapping.inputs["stageName"] == "v1"
        assert "basePath" not in mapping.inputs


def test_one_key_opens_both_regions_and_stays_secret(run: Run) -> None:
    """A source that posts to the name cannot change its key when the name fails over."""
    keys = [run.outputs[key] for key in ("ApiKey", "FailoverApiKey")]
    assert all(rpc.is_rpc_secret(key) for key in keys)
    assert {rpc.unwrap_rpc_secret(key) for key in keys} == {f"generated-for-{PRIMARY}"}
    (given,) = [key for key in run.of("apigateway/apiKey:ApiKey") if "value" in key.inputs]
    assert given.inputs["region"] == FAILOVER
    assert rpc.is_rpc_secret(given.inputs["value"])


def test_what_is_global_names_no_region_and_belongs_to_the_routing(run: Run) -> None:
    """Route 53 has none."""
    (routing,) = [r for r in run.resources if r.type == "incident:global:Routing"]
    for resource in run.resources:
        if ":route53/" in resource.type:
            assert "region" not in resource.inputs
            assert resource.parent == routing.urn
    assert run.repeated_urns() == []
