"""Which region new alerts go to: what DNS answers for the name that sources post to.

The failover, the drill and `responder dr status` ask here, since it is the sources' own view: a record or a
health check may say otherwise for as long as an answer is cached.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from clients.deployment import Deployment

if TYPE_CHECKING:
    import dns.resolver

ANSWER_WITHIN_S: Final = 2.0


class RoutingUnknownError(Exception):
    """DNS does not say which region takes new alerts: neither healthy nor failed over. Ask again."""


def resolve_region(
    deployment: Deployment,
    dns_server: tuple[str, int] | None = None,
    *,
    within_s: float = ANSWER_WITHIN_S,
) -> str | None:
    """The region that new alerts are sent to now, by the name's CNAME; None where the stack has no domain.

    `dns_server` is the host and port of the embedded AWS's server; None asks this machine's own resolver,
    which may hold an answer for its TTL.

    Raises:
        RoutingUnknownError: no answer `within_s`, no such name, or the name of neither region.
    """
    import dns.exception  # noqa: PLC0415 - it takes longer to import than the --help of those who may ask

    if not deployment.alerts_url:
        return None
    name = urlsplit(deployment.alerts_url).hostname or ""
    try:
        answer = _resolver(dns_server).resolve(f"{name}.", "CNAME", lifetime=within_s)
    except dns.exception.DNSException as error:
        raise RoutingUnknownError(
            f"DNS does not say where {name} points ({error}); ask again, or use each region's own URL"
        ) from error
    target = str(answer[0].target).rstrip(".").lower()
    for endpoints in deployment.regions:
        if endpoints.api_domain == target:
            return endpoints.region
    known = ", ".join(f"{one.region}: {one.api_domain}" for one in deployment.regions)
    raise RoutingUnknownError(
        f"{name} points to {target}, which is neither region's ({known}); see who changed the record, or "
        "deploy the stack again"
    )


def _resolver(dns_server: tuple[str, int] | None) -> "dns.resolver.Resolver":
    import dns.resolver  # noqa: PLC0415

    if dns_server is None:
        return dns.resolver.Resolver()
    host, port = dns_server
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], port
    return resolver
