"""A DNS server for the embedded AWS's hosted zones: Route 53's data plane, with failover by health checks.

`answer` makes the response to one packet; `serve` puts it on a UDP port. The server is authoritative for the
hosted zones that Route 53 has and refuses all else.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from emulator.ports import LOOPBACK, in_use
from emulator.route53.hosted_zones import RecordSet, Zone

ALIASES_MAX: Final = 8
"""CNAMEs followed within our zones for one answer."""

_log = logging.getLogger(__name__)

IsHealthy = Callable[[str], bool]
"""Whether a health check, by its id, is healthy."""


class NoAnswerError(Exception):
    """The query has no answer but the error code `rcode`."""

    def __init__(self, rcode: dns.rcode.Rcode) -> None:
        """Keep the code, for the response."""
        self.rcode = rcode
        super().__init__(dns.rcode.to_text(rcode))


def answer(packet: bytes, zones: Iterable[Zone], is_healthy: IsHealthy) -> bytes | None:
    """Return the response to a packet; None if the packet is no DNS query."""
    try:
        query = dns.message.from_wire(packet)
    except dns.exception.DNSException:
        return None
    if query.flags & dns.flags.QR:
        return None
    response = dns.message.make_response(query)
    try:
        _resolve(response, query, tuple(zones), is_healthy)
    except NoAnswerError as error:
        response.answer.clear()
        response.set_rcode(error.rcode)
    return response.to_wire(max_size=max(query.payload, 512), prefer_truncation=True)


def choose(records: Iterable[RecordSet], is_healthy: IsHealthy) -> RecordSet | None:
    """Choose the record of one name and type that answers: of a failover pair, the one in service.

    A secondary that is not healthy never answers: where both are out, the primary does. A record without a
    health check counts as healthy.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html

    Raises:
        NoAnswerError: SERVFAIL, since one of them is weighted, an alias or the like, which is not emulated.
    """
    by_role: dict[str | None, RecordSet] = {}
    for record in records:
        if record.routed_otherwise:
            raise NoAnswerError(dns.rcode.SERVFAIL)
        by_role[record.failover] = record
    primary, secondary = by_role.get("PRIMARY"), by_role.get("SECONDARY")
    if primary is None or secondary is None:
        return primary or secondary or by_role.get(None)
    if not _is_healthy(primary, is_healthy) and _is_healthy(secondary, is_healthy):
        return secondary
    return primary


async def serve(port: int, respond: Callable[[bytes], bytes | None]) -> asyncio.DatagramTransport:
    """Serve on the loopback's UDP `port`, or any free one, until the transport is closed.

    Raises:
        PortInUseError: another program has it.
    """
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(respond), local_addr=(LOOPBACK, port)
        )
    except OSError as error:
        raise in_use(port, "the DNS server") from error
    return transport


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, respond: Callable[[bytes], bytes | None]) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # UDP's
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            response = self._respond(data)
        except Exception:  # noqa: BLE001 - the edge of the server: asyncio would close the socket for good
            _log.exception("A DNS query could not be answered")
            return
        if response is not None and self._transport is not None:
            self._transport.sendto(response, addr)


def _resolve(
    response: dns.message.Message, query: dns.message.Message, zones: tuple[Zone, ...], is_healthy: IsHealthy
) -> None:
    """Put the records that answer `query` into `response`.

    Raises:
        NoAnswerError: there is none but an error code.
    """
    if query.opcode() != dns.opcode.QUERY:
        raise NoAnswerError(dns.rcode.NOTIMP)
    if len(query.question) != 1:
        raise NoAnswerError(dns.rcode.FORMERR)
    question = query.question[0]
    if dns.rdatatype.is_metatype(question.rdtype):
        raise NoAnswerError(dns.rcode.NOTIMP)
    zone = _zone_of(question.name, zones)
    if zone is None or question.rdclass != dns.rdataclass.IN:
        raise NoAnswerError(dns.rcode.REFUSED)
    response.flags |= dns.flags.AA
    name = question.name
    for _ in range(ALIASES_MAX):
        record_set = _of_name(zone, name, dns.rdatatype.to_text(question.rdtype), is_healthy)
        if record_set is None:
            response.authority.extend(_negative(zone))
            if not any(record.name.is_subdomain(name) for record in zone.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            return
        rrset = _rrset(record_set)
        response.answer.append(rrset)
        if rrset.rdtype == question.rdtype:
            return
        name = rrset[0].target
        zone = _zone_of(name, zones)
        if zone is None:
            return
    raise NoAnswerError(dns.rcode.SERVFAIL)


def _zone_of(name: dns.name.Name, zones: Iterable[Zone]) -> Zone | None:
    """The most specific zone that the name is in."""
    within = [zone for zone in zones if name.is_subdomain(zone.name)]
    return max(within, key=lambda zone: len(zone.name), default=None)


def _of_name(zone: Zone, name: dns.name.Name, kind: str, is_healthy: IsHealthy) -> RecordSet | None:
    """The record of `name` that answers a question for `kind`: one of that type, or else its CNAME."""
    for record_type in (kind, "CNAME"):
        records = [record for record in zone.records if record.name == name and record.type == record_type]
        if records:
            return choose(records, is_healthy)
    return None


def _is_healthy(record: RecordSet, is_healthy: IsHealthy) -> bool:
    return record.health_check_id is None or is_healthy(record.health_check_id)


def _rrset(record: RecordSet) -> dns.rrset.RRset:
    """The record as DNS has it; a name in its values is whole, with or without a final dot.

    Raises:
        NoAnswerError: SERVFAIL, since its values are not of its type; the emulated Route 53 takes any.
    """
    try:
        return dns.rrset.from_text_list(
            record.name,
            record.ttl_s,
            "IN",
            record.type,
            record.values,
            origin=dns.name.root,
            relativize=False,
        )
    except dns.exception.DNSException as error:
        raise NoAnswerError(dns.rcode.SERVFAIL) from error


def _negative(zone: Zone) -> list[dns.rrset.RRset]:
    """The zone's SOA with the TTL of a negative answer (RFC 2308, 5)."""
    soa = []
    for record in zone.records:
        if record.type == "SOA":
            rrset = _rrset(record)
            rrset.ttl = min(rrset.ttl, rrset[0].minimum)
            soa.append(rrset)
    return soa
