"""API Gateway custom domains, and which stage each one serves."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from emulator.pulumi.provider.apigateway import set_tags
from emulator.pulumi.provider.resource import Created, Existing, Inputs, ResourceContext, ResourceType

ROOT: Final = "(none)"
"""What API Gateway calls the base path of a mapping at the root of a domain.
https://docs.aws.amazon.com/apigateway/latest/api/API_BasePathMapping.html"""


class DomainName(ResourceType):
    """A regional custom domain; its id is its name."""

    type = "aws:apigateway/domainName:DomainName"
    identity = frozenset({"domainName"})
    updates = frozenset({"tags"})
    replaces = frozenset({"domainName"})
    ignored: ClassVar[Mapping[str, str]] = {
        "endpointConfiguration.types": "a domain has one regional name, whatever its kind of endpoint",
        "regionalCertificateArn": "recorded when the domain is made; nothing speaks TLS with it",
        "securityPolicy": "recorded when the domain is made; nothing speaks TLS",
    }

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Create the domain; its regional name is what DNS points to."""
        types = inputs["endpointConfiguration"]["types"]
        domain = context.client("apigateway").create_domain_name(
            domainName=inputs["domainName"],
            regionalCertificateArn=inputs["regionalCertificateArn"],
            securityPolicy=inputs["securityPolicy"],
            endpointConfiguration={"types": [types] if isinstance(types, str) else types},
            tags=inputs.get("tags", {}),
        )
        return Created(
            domain["domainName"],
            {
                "arn": f"arn:aws:apigateway:{context.region}::/domainnames/{domain['domainName']}",
                "regionalDomainName": domain["regionalDomainName"],
                "regionalZoneId": domain["regionalHostedZoneId"],
            },
        )

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags."""
        if "tags" in changed:
            set_tags(context, existing.outputs["arn"], existing, inputs)
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the domain with its mappings."""
        context.client("apigateway").delete_domain_name(domainName=existing.id)


class BasePathMapping(ResourceType):
    """The stage at the root of a domain; its id has the real provider's form."""

    type = "aws:apigateway/basePathMapping:BasePathMapping"
    identity = frozenset({"domainName"})
    updates = frozenset({"restApi", "stageName"})
    replaces = frozenset({"domainName"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Map the root to the stage."""
        context.client("apigateway").create_base_path_mapping(
            domainName=inputs["domainName"], restApiId=inputs["restApi"], stage=inputs["stageName"]
        )
        return Created(f"{inputs['domainName']}/", {})

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Map the root to another API or stage; the embedded API Gateway can only make the mapping anew."""
        del changed
        self.delete(context, existing)
        return self.create(context, inputs).outputs

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Serve nothing at the domain's root."""
        context.client("apigateway").delete_base_path_mapping(
            domainName=existing.inputs["domainName"], basePath=ROOT
        )


RESOURCES: Final = (DomainName(), BasePathMapping())
