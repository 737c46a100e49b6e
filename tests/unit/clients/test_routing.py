"""Which region DNS sends alerts to, asked of a real server on the loopback that answers as it is told."""

import dataclasses
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rrset
import pytest

from clients.deployment import Deployment
from clients.routing import RoutingUnknownError, resolve_region

NAME = "alerts.example.com."


@dataclass
class DnsServer:
    """Answers every query with a CNAME to `target`, or NXDOMAIN for None; `asked` has the names."""

    target: str | None = None
    asked: list[str] = field(default_factory=list)
    port: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self.port.getsockname()
        return host, port

    def serve(self) -> None:
        """Until an empty packet comes."""
        while True:
            packet, sender = self.port.recvfrom(4096)
            if not packet:
                return
            query = dns.message.from_wire(packet)
            response = dns.message.make_response(query)
            self.asked.append(f"{query.question[0].name} {query.question[0].rdtype.name}")
            if self.target is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
            else:
                response.answer.append(dns.rrset.from_text(NAME, 10, "IN", "CNAME", self.target))
            self.port.sendto(response.to_wire(), sender)


@pytest.fixture
def server() -> Iterator[DnsServer]:
    """A running server."""
    one = DnsServer()
    one.port.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=one.serve, daemon=True)
    thread.start()
    yield one
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closing:
        closing.sendto(b"", one.address)
    thread.join(5)
    one.port.close()


@pytest.fixture
def with_domain(deployment: Deployment) -> Deployment:
    """A stack whose name points to one of two APIs."""
    return dataclasses.replace(
        deployment,
        alerts_url="https://alerts.example.com/alerts",
        primary=dataclasses.replace(deployment.primary, api_domain="d-1.execute-api.us-east-1.amazonaws.com"),
        failover=dataclasses.replace(
            deployment.failover, api_domain="d-2.execute-api.us-west-2.amazonaws.com"
        ),
    )


@pytest.mark.parametrize(
    ("target", "region"),
    [
        ("d-1.execute-api.us-east-1.amazonaws.com.", "us-east-1"),
        ("D-2.Execute-API.us-west-2.amazonaws.com.", "us-west-2"),
    ],
)
def test_the_region_is_the_one_whose_api_the_name_points_to(
    with_domain: Deployment, server: DnsServer, target: str, region: str
) -> None:
    """DNS has no upper and lower case."""
    server.target = target
    assert resolve_region(with_domain, server.address) == region
    assert server.asked == [f"{NAME} CNAME"]


def test_without_a_domain_nobody_is_asked(deployment: Deployment, server: DnsServer) -> None:
    """Sources know both URLs; there is no region that a name points to."""
    assert resolve_region(dataclasses.replace(deployment, alerts_url=None), server.address) is None
    assert server.asked == []


def test_a_name_that_points_elsewhere_is_unknown(with_domain: Deployment, server: DnsServer) -> None:
    """Never taken for one of the regions; the message says where it points."""
    server.target = "somebody.example.net."
    with pytest.raises(RoutingUnknownError, match=r"points to somebody\.example\.net, which is neither"):
        resolve_region(with_domain, server.address)


def test_no_such_name_is_unknown(with_domain: Deployment, server: DnsServer) -> None:
    """The message has a next step."""
    with pytest.raises(RoutingUnknownError, match="use each region's own URL"):
        resolve_region(with_domain, server.address)


def test_no_server_is_unknown_soon(with_domain: Deployment) -> None:
    """Within the deadline, since a drill asks every second."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(RoutingUnknownError, match="does not say"):
            resolve_region(with_domain, silent.getsockname(), within_s=0.2)
