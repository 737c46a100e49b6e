"""Route 53's configuration: hosted zones, records and health checks, as DNS server and checker need them.

`name_service` reads it from the process that outlives a region, past the edge: Route 53's data plane
goes on with what it has while its control plane, in us-east-1, cannot be reached.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import dns.name

from clients.aws import AwsClients

CONTROL_PLANE_REGION: Final = "us-east-1"
"""Where Route 53 is signed for. https://docs.aws.amazon.com/general/latest/gr/r53.html"""

READ_WITHIN_S: Final = 2.0
ROUTED_OTHERWISE: Final = (
    "AliasTarget", "CidrRoutingConfig", "GeoLocation", "GeoProximityLocation", "MultiValueAnswer", "Region",
    "Weight",
)  # fmt: skip
"""Parts of a record set that route in a way which is not emulated."""


@dataclass(frozen=True, kw_only=True)
class RecordSet:
    """One record set. `routed_otherwise` names what of it is not emulated, or is empty."""

    name: dns.name.Name
    type: str
    ttl_s: int
    values: tuple[str, ...]
    failover: Literal["PRIMARY", "SECONDARY"] | None = None
    health_check_id: str | None = None
    routed_otherwise: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A public hosted zone; `records` has its SOA and NS too."""

    name: dns.name.Name
    records: tuple[RecordSet, ...]


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """A health check as configured; `name` is its tag. Times in seconds.

    `failures` in a row make it unhealthy, as many passes healthy again. `children` and `threshold`, how many
    of them must be healthy, are a calculated one's.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
    """

    id: str
    name: str
    type: str
    url: str = ""
    host: str = ""
    interval_s: float = 30
    failures: int = 3
    inverted: bool = False
    disabled: bool = False
    children: tuple[str, ...] = ()
    threshold: int = 0


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that is configured in Route 53; checks by id."""

    zones: tuple[Zone, ...] = ()
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)


class Route53Reader:
    """Reads the configuration from the emulated Route 53. One thread at a time."""

    def __init__(self, endpoint_url: str) -> None:
        """`endpoint_url` is the process's own address, not the edge."""
        self._clients = AwsClients(endpoint_url, read_timeout_s=READ_WITHIN_S, attempts_max=1)
        self._names: dict[str, str] = {}

    def read(self) -> Configuration:
        """Read the configuration anew.

        Raises:
            BotoCoreError, ClientError: Route 53 does not answer.
        """
        route53 = self._clients.client("route53", CONTROL_PLANE_REGION)
        zones = [
            zone
            for zone in _all(route53, "list_hosted_zones", "HostedZones")
            if not zone["Config"]["PrivateZone"]
        ]
        checks = [
            self._check(route53, check) for check in _all(route53, "list_health_checks", "HealthChecks")
        ]
        return Configuration(
            zones=tuple(_zone(route53, zone) for zone in zones), checks={check.id: check for check in checks}
        )

    def _check(self, route53: Any, answer: Mapping[str, Any]) -> HealthCheck:
        identifier, config = str(answer["Id"]), answer["HealthCheckConfig"]
        if identifier not in self._names:
            tags = route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=identifier)
            for tag in tags["ResourceTagSet"]["Tags"]:
                if tag["Key"] == "Name":
                    self._names[identifier] = tag["Value"]
        return health_check(identifier, self._names.get(identifier, ""), config)


def health_check(identifier: str, name: str, config: Mapping[str, Any]) -> HealthCheck:
    """A check from its configuration in the words of Route 53's API; what is left out has AWS's default."""
    kind = config["Type"]
    host = config.get("FullyQualifiedDomainName") or config.get("IPAddress", "")
    url = ""
    if kind in {"HTTP", "HTTPS"}:
        port = config.get("Port", {"HTTP": 80, "HTTPS": 443}[kind])
        address = config.get("IPAddress") or host
        url = f"{kind.lower()}://{address}:{port}{config.get('ResourcePath', '/')}"
    return HealthCheck(
        id=identifier,
        name=name,
        type=kind,
        url=url,
        host=host,
        interval_s=config.get("RequestInterval", 30),
        failures=config.get("FailureThreshold", 3),
        inverted=config.get("Inverted", False),
        disabled=config.get("Disabled", False),
        children=tuple(config.get("ChildHealthChecks", ())),
        threshold=config.get("HealthThreshold", 0),
    )


def _zone(route53: Any, answer: Mapping[str, Any]) -> Zone:
    zone_id = answer["Id"].rpartition("/")[2]
    records = _all(route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id)
    return Zone(name=_name(answer["Name"]), records=tuple(map(_record_set, records)))


def _record_set(answer: Mapping[str, Any]) -> RecordSet:
    return RecordSet(
        name=_name(answer["Name"]),
        type=answer["Type"],
        ttl_s=int(answer.get("TTL", 0)),
        values=tuple(record["Value"] for record in answer.get("ResourceRecords", ())),
        failover=answer.get("Failover"),
        health_check_id=answer.get("HealthCheckId"),
        routed_otherwise=tuple(part for part in ROUTED_OTHERWISE if part in answer),
    )


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _all(route53: Any, operation: str, key: str, **arguments: str) -> Iterator[dict[str, Any]]:
    for page in route53.get_paginator(operation).paginate(**arguments):
        yield from page[key]
