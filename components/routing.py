"""One name for both regions' webhooks, which fails over by itself; registered where a domain is configured.

Route 53 answers with the primary region's API unless that region is out or the failover region says that it
takes everything:

    serves(R) = /health of R answers  AND NOT  /switch of the other region is on

Both are looked at by the regions' own stage URLs, never by the shared name, which would only show where it
points already. Nothing that an operator does in an outage needs Route 53's control plane, which lives in one
region: turning on a switch is a write in the region that survives.

What is not known counts as follows. A region that cannot be reached is out, and its switch is off, since an
inverted check is healthy while nothing answers 200: so losing the failover region moves nothing. A check that
is disabled counts as healthy for ever, so `disabled` is pinned: each deployment turns it on again. New checks
begin as healthy and inverted ones as unhealthy, and where both regions are out the answer is the primary.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
"""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import pulumi
import pulumi_aws as aws

from components.region_context import RegionContext, kept
from components.webhook import Webhook
from topology.outputs import output_key
from topology.regions import FAILOVER, PRIMARY, Role

NAME_TTL_S: Final = 10
"""How long a source may keep an answer, which a failover takes longer by; AWS advises 60 at most.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-failover.html"""

VALIDATION_TTL_S: Final = 300
PORTS: Final = {"http": 80, "https": 443}
RECORD_ROLES: Final[Mapping[Role, str]] = {PRIMARY: "PRIMARY", FAILOVER: "SECONDARY"}


class Routing(pulumi.ComponentResource):
    """The name `domain` over the webhooks of both regions.

    Each region has a custom domain of that name with a certificate of its own, and a failover record that
    points to it. The records are CNAMEs and no aliases: AWS advises health checks on non-alias records only;
    an alias to an API has a TTL of 60 s that nobody can shorten; and the answer to a CNAME says which region
    serves. So the domain cannot be the zone's own name, the apex, which AWS refuses.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html
    """

    def __init__(
        self,
        *,
        primary: Webhook,
        failover: Webhook,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register certificates, custom domains, health checks and records."""
        self._config = primary.context.config
        super().__init__("incident:global:Routing", self._config.domain, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        webhooks = {PRIMARY: primary, FAILOVER: failover}
        certificates = {role: self._certificate(webhook.context) for role, webhook in webhooks.items()}
        validation = self._validation_record(certificates[PRIMARY])
        self._domains = {
            role: self._domain(webhook, certificate=certificates[role], validation=validation)
            for role, webhook in webhooks.items()
        }
        health = {
            role: self._look(webhook.context, "health", webhook.health_url)
            for role, webhook in webhooks.items()
        }
        switch_off = {
            role: self._look(webhook.context, "switch-off", webhook.switch_url, inverted=True)
            for role, webhook in webhooks.items()
        }
        for role, other in ((PRIMARY, FAILOVER), (FAILOVER, PRIMARY)):
            context = webhooks[role].context
            self._record(context, serves=self._serves(context, [health[role], switch_off[other]]))
        self.register_outputs({})

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[str]]:
        """Stack outputs by the keys of `topology.outputs.OPTIONAL`."""
        return {
            "AlertsUrl": f"https://{self._config.domain}/alerts",
            **{
                output_key("ApiDomainName", role): domain.regional_domain_name
                for role, domain in self._domains.items()
            },
        }

    def _certificate(self, context: RegionContext) -> aws.acm.Certificate:
        return aws.acm.Certificate(
            context.logical("domain"),
            region=context.region,
            domain_name=self._config.domain,
            validation_method="DNS",
            tags=context.tags,
            opts=self._child,
        )

    def _validation_record(self, certificate: aws.acm.Certificate) -> aws.route53.Record:
        """What proves to ACM that the domain is ours.

        It is the same for every certificate of a name in an account, whatever the region: one record serves
        both, and where another stack has made it already, that one is this one.
        https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
        """
        proof = certificate.domain_validation_options[0]
        return aws.route53.Record(
            "domain-validation",
            zone_id=self._config.hosted_zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            ttl=VALIDATION_TTL_S,
            records=[proof.resource_record_value],
            allow_overwrite=True,
            opts=self._child,
        )

    def _domain(
        self, webhook: Webhook, *, certificate: aws.acm.Certificate, validation: aws.route53.Record
    ) -> aws.apigateway.DomainName:
        """The custom domain of one region's API, at whose root its stage is."""
        context = webhook.context
        valid = aws.acm.CertificateValidation(
            context.logical("domain"),
            region=context.region,
            certificate_arn=certificate.arn,
            validation_record_fqdns=[validation.fqdn],
            opts=self._child,
        )
        domain = aws.apigateway.DomainName(
            context.logical("domain"),
            region=context.region,
            domain_name=self._config.domain,
            regional_certificate_arn=valid.certificate_arn,
            security_policy="TLS_1_2",
            endpoint_configuration=aws.apigateway.DomainNameEndpointConfigurationArgs(types="REGIONAL"),
            tags=context.tags,
            opts=kept(self, context.config),
        )
        aws.apigateway.BasePathMapping(
            context.logical("domain"),
            region=context.region,
            domain_name=domain.domain_name,
            rest_api=webhook.api_id,
            stage_name=webhook.stage_name,
            opts=self._child,
        )
        return domain

    def _look(
        self, context: RegionContext, what: str, url: pulumi.Output[str], *, inverted: bool = False
    ) -> aws.route53.HealthCheck:
        """A check that asks `url` for 200, from Route 53's checkers all over the world."""
        parts = url.apply(urlsplit)
        return aws.route53.HealthCheck(
            context.logical(what),
            type=parts.apply(lambda found: found.scheme.upper()),
            fqdn=parts.apply(lambda found: found.hostname or ""),
            port=parts.apply(lambda found: found.port or PORTS[found.scheme]),
            resource_path=parts.apply(lambda found: found.path),
            request_interval=self._config.health_check_interval_s,
            failure_threshold=self._config.health_check_failures,
            invert_healthcheck=inverted,
            disabled=False,
            tags=self._named(context, what),
            opts=self._child,
        )

    def _serves(
        self, context: RegionContext, both: Sequence[aws.route53.HealthCheck]
    ) -> aws.route53.HealthCheck:
        """Healthy while both are: the region answers, and the other one does not claim everything."""
        return aws.route53.HealthCheck(
            context.logical("serves"),
            type="CALCULATED",
            child_healthchecks=[check.id for check in both],
            child_health_threshold=len(both),
            invert_healthcheck=False,
            disabled=False,
            tags=self._named(context, "serves"),
            opts=self._child,
        )

    def _record(self, context: RegionContext, *, serves: aws.route53.HealthCheck) -> None:
        aws.route53.Record(
            context.logical("alerts"),
            zone_id=self._config.hosted_zone_id,
            name=self._config.domain,
            type="CNAME",
            ttl=NAME_TTL_S,
            records=[self._domains[context.role].regional_domain_name],
            set_identifier=context.region,
            failover_routing_policies=[
                aws.route53.RecordFailoverRoutingPolicyArgs(type=RECORD_ROLES[context.role])
            ],
            health_check_id=serves.id,
            opts=self._child,
        )

    def _named(self, context: RegionContext, what: str) -> Mapping[str, str]:
        return {**context.tags, "Name": context.names.health_check(context.region, what)}
