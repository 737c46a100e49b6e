"""DNS and health checks of a running emulator, told by Route 53's own API and asked as a resolver asks."""

import socket
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import dns.message
import dns.query
import dns.rcode
import pytest
from botocore.exceptions import BotoCoreError

from emulator.client import Emulator
from emulator.errors import RefusedError
from tests.emulator.conftest import REGIONS, Client
from tests.fakes.http_server import Answer, ScriptedServer

pytestmark = pytest.mark.emulator

NAME = "alerts.responder.test"
PRIMARY, FAILOVER = REGIONS


@pytest.fixture(scope="module")
def switch() -> Iterator[ScriptedServer]:
    """The failover region's switch, off."""
    server = ScriptedServer([Answer(status=404)])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def route53(client: Client) -> Any:
    """Route 53, which clients of every region sign for us-east-1."""
    return client("route53", FAILOVER)


@pytest.fixture(scope="module", autouse=True)
def _name(emulator: Emulator, route53: Any, switch: ScriptedServer) -> Iterator[None]:
    """The name, over both regions' gates, as the program makes it; looked at ten times a second."""
    emulator.pace_health_checks(0.01)
    health = {
        region: _check(route53, f"{region}-health", emulator.webhook_base_url(region) + "/_ministack/health")
        for region in REGIONS
    }
    switch_off = _check(route53, "switch-off", f"{switch.url}/switch", Inverted=True)
    never_on = _check(route53, "never-on", "http://127.0.0.1:1/switch", Inverted=True)
    zone = route53.create_hosted_zone(Name="responder.test", CallerReference="test")["HostedZone"]["Id"]
    changes = []
    for region, role, off in ((PRIMARY, "PRIMARY", switch_off), (FAILOVER, "SECONDARY", never_on)):
        serves = _health_check(
            route53, f"{region}-serves", Type="CALCULATED", ChildHealthChecks=[health[region], off],
            HealthThreshold=2,
        )  # fmt: skip
        record = {
            "Name": NAME, "Type": "CNAME", "TTL": 10, "SetIdentifier": region, "Failover": role,
            "HealthCheckId": serves, "ResourceRecords": [{"Value": f"{region}.example.com"}],
        }  # fmt: skip
        changes.append({"Action": "CREATE", "ResourceRecordSet": record})
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    yield
    emulator.pace_health_checks(1.0)


@pytest.fixture
def settled(whole: Emulator, eventually: Callable[..., Any]) -> Emulator:
    """The emulator with both regions well, and seen to be."""
    eventually(lambda: healthy(whole, f"{PRIMARY}-serves") and healthy(whole, f"{FAILOVER}-serves"))
    eventually(lambda: answered(whole) == PRIMARY)
    return whole


def _check(route53: Any, name: str, url: str, **other: Any) -> str:
    parts = urlsplit(url)
    return _health_check(
        route53, name, Type="HTTP", FullyQualifiedDomainName=parts.hostname, Port=parts.port,
        ResourcePath=parts.path, RequestInterval=10, FailureThreshold=2, **other,
    )  # fmt: skip


def _health_check(route53: Any, name: str, **config: Any) -> str:
    made = route53.create_health_check(CallerReference=str(uuid.uuid4()), HealthCheckConfig=config)
    identifier = str(made["HealthCheck"]["Id"])
    route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=identifier, AddTags=[{"Key": "Name", "Value": name}]
    )
    return identifier


def healthy(emulator: Emulator, name: str) -> bool:
    """Whether a check is there and healthy."""
    return {status.name: status.healthy for status in emulator.health_checks()}.get(name, False)


def answered(emulator: Emulator, name: str = NAME) -> str:
    """The region that the name points to, or why it points nowhere."""
    host, port = emulator.dns_address
    response = dns.query.udp(dns.message.make_query(name, "CNAME"), host, port=port, timeout=20)
    if not response.answer:
        return dns.rcode.to_text(response.rcode())
    return str(response.answer[0][0].target).removesuffix(".example.com.")


def test_killed_primary_is_noticed_and_the_name_points_to_the_other(
    settled: Emulator, route53: Any, eventually: Callable[..., Any]
) -> None:
    """While Route 53's control plane, in the lost region, takes no call; and back once the region is."""
    settled.kill(PRIMARY)
    eventually(lambda: answered(settled) == FAILOVER)
    with pytest.raises(BotoCoreError):
        route53.list_hosted_zones()
    by_name = {status.name: status for status in settled.health_checks()}
    lost, serves = by_name[f"{PRIMARY}-health"], by_name[f"{PRIMARY}-serves"]
    assert not lost.healthy
    assert lost.since_ms == serves.since_ms
    assert "ClientConnectorError" in lost.last_result
    settled.start_region(PRIMARY)
    eventually(lambda: answered(settled) == PRIMARY)


def test_switch_moves_the_name_while_the_primary_is_healthy(
    settled: Emulator, switch: ScriptedServer, eventually: Callable[..., Any]
) -> None:
    """An operator's word, given in the failover region only."""
    switch.script[:] = [Answer(status=200)]
    eventually(lambda: answered(settled) == FAILOVER)
    assert healthy(settled, f"{PRIMARY}-health")
    switch.script[:] = [Answer(status=404)]
    eventually(lambda: answered(settled) == PRIMARY)


def test_with_both_regions_out_the_name_points_to_the_primary(
    settled: Emulator, eventually: Callable[..., Any]
) -> None:
    """As Route 53 does: a secondary that is out never answers."""
    settled.kill(FAILOVER)
    eventually(lambda: not healthy(settled, f"{FAILOVER}-serves"))
    settled.cut(PRIMARY)
    eventually(lambda: not healthy(settled, f"{PRIMARY}-serves"))
    assert answered(settled) == PRIMARY


def test_other_names_are_refused_or_do_not_exist(emulator: Emulator) -> None:
    """The server is authoritative for the stored zones only."""
    assert answered(emulator, "nobody.responder.test") == "NXDOMAIN"
    assert answered(emulator, "example.com") == "REFUSED"


def test_packets_that_are_no_dns_do_not_stop_the_server(emulator: Emulator) -> None:
    """They get no answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in (b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n"):
            sender.sendto(packet, emulator.dns_address)
    assert answered(emulator, "nobody.responder.test") == "NXDOMAIN"


@pytest.mark.parametrize("factor", [0.0, -1.0, 1.5])
def test_a_pace_that_makes_no_sense_is_refused(emulator: Emulator, factor: float) -> None:
    """Endless looking, or slower than configured."""
    with pytest.raises(RefusedError, match=r"0\.01 to 1"):
        emulator.pace_health_checks(factor)
