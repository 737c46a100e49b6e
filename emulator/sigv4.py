"""Where a signed call goes: the region and service in its SigV4 signature.

The edge routes by it, and the AWS processes pick the calls that a fault hits.
"""

import re
from dataclasses import dataclass

_CREDENTIAL = re.compile(r"(?:^|Credential=)[^/,\s]+/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")


@dataclass(frozen=True)
class Scope:
    """The part of a SigV4 credential scope that says where a call goes.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    region: str
    service: str


def scope_in(signed: str) -> Scope | None:
    """The scope in an Authorization header or in the value of X-Amz-Credential; None if there is none."""
    match = _CREDENTIAL.search(signed)
    return Scope(match[1], match[2]) if match else None
