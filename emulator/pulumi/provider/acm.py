"""Certificates and their validation. Nothing on the embedded AWS speaks TLS with one."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from emulator.pulumi.provider.errors import MissingArgumentError
from emulator.pulumi.provider.resource import (
    Created,
    Existing,
    Inputs,
    ResourceContext,
    ResourceType,
    removed_tags,
    tag_list,
)


class Certificate(ResourceType):
    """A certificate; its id is its ARN."""

    type = "aws:acm/certificate:Certificate"
    identity = frozenset()
    updates = frozenset({"tags"})
    replaces = frozenset({"domainName", "validationMethod"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Ask for the certificate; the embedded ACM issues it at once."""
        arn = context.client("acm").request_certificate(
            DomainName=inputs["domainName"],
            ValidationMethod=inputs["validationMethod"],
            Tags=tag_list(inputs),
        )["CertificateArn"]
        return Created(arn, {"arn": arn})

    def complete(self, context: ResourceContext, created: Created, inputs: Inputs) -> Mapping[str, Any]:
        """Ask which records prove that the domain is ours."""
        del inputs
        certificate = context.client("acm").describe_certificate(CertificateArn=created.id)["Certificate"]
        return {
            "domainValidationOptions": [
                {
                    "domainName": option["DomainName"],
                    "resourceRecordName": option["ResourceRecord"]["Name"],
                    "resourceRecordType": option["ResourceRecord"]["Type"],
                    "resourceRecordValue": option["ResourceRecord"]["Value"],
                }
                for option in certificate["DomainValidationOptions"]
            ]
        }

    def update(
        self, context: ResourceContext, existing: Existing, inputs: Inputs, changed: Collection[str]
    ) -> Mapping[str, Any]:
        """Set the tags."""
        del changed
        acm = context.client("acm")
        gone = [{"Key": name} for name in removed_tags(existing, inputs)]
        if gone:
            acm.remove_tags_from_certificate(CertificateArn=existing.id, Tags=gone)
        acm.add_tags_to_certificate(CertificateArn=existing.id, Tags=tag_list(inputs))
        return {}

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Delete the certificate."""
        context.client("acm").delete_certificate(CertificateArn=existing.id)


class CertificateValidation(ResourceType):
    """The wait until a certificate is issued."""

    type = "aws:acm/certificateValidation:CertificateValidation"
    identity = frozenset({"certificateArn", "validationRecordFqdns"})
    replaces = frozenset({"certificateArn", "validationRecordFqdns"})

    def create(self, context: ResourceContext, inputs: Inputs) -> Created:
        """Check that the certificate is issued.

        Raises:
            MissingArgumentError: it is not; the embedded ACM issues at once or never.
        """
        arn = inputs["certificateArn"]
        status = context.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
        if status != "ISSUED":
            raise MissingArgumentError(f"certificate {arn} is {status}, not ISSUED; see its domain's records")
        return Created(arn, {})

    def delete(self, context: ResourceContext, existing: Existing) -> None:
        """Do nothing: AWS has no such resource."""


RESOURCES: Final = (Certificate(), CertificateValidation())
