"""The DNS server's answers, packet for packet, over zones as Route 53 would have them."""

from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import pytest

from emulator.route53.dns import answer
from emulator.route53.hosted_zones import RecordSet, Zone

NAME = "alerts.responder.test"
SOA = "ns-1.awsdns-1.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"


def _record(name: str, kind: str, value: str, **other: object) -> RecordSet:
    values: dict[str, Any] = {"ttl_s": 10, **other}
    return RecordSet(name=dns.name.from_text(name), type=kind, values=(value,), **values)


def _zone(*records: RecordSet) -> Zone:
    soa = _record("responder.test", "SOA", SOA, ttl_s=900)
    return Zone(name=dns.name.from_text("responder.test"), records=(soa, *records))


def _half(target: str, role: str, check: str) -> RecordSet:
    return _record(NAME, "CNAME", target, failover=role, health_check_id=check)


PAIR = (
    _half("d-1.execute-api.us-east-1.amazonaws.com", "PRIMARY", "p"),
    _half("d-2.execute-api.us-west-2.amazonaws.com.", "SECONDARY", "s"),
)


def _ask(
    zones: list[Zone],
    name: str = NAME,
    kind: str = "CNAME",
    *,
    healthy: tuple[str, ...] = ("p", "s"),
    query: dns.message.Message | None = None,
) -> dns.message.Message:
    query = query or dns.message.make_query(name, kind)
    packet = answer(query.to_wire(), zones, healthy.__contains__)
    assert packet is not None
    response = dns.message.from_wire(packet)
    assert response.id == query.id
    return response


@pytest.mark.parametrize(
    ("healthy", "region"),
    [
        (("p", "s"), "us-east-1"),
        (("p",), "us-east-1"),
        (("s",), "us-west-2"),
        ((), "us-east-1"),
    ],
)
def test_the_primary_answers_unless_only_the_secondary_is_healthy(
    healthy: tuple[str, ...], region: str
) -> None:
    """Both out is the primary too, as in Route 53."""
    response = _ask([_zone(*PAIR)], healthy=healthy)
    (rrset,) = response.answer
    assert region in str(rrset[0].target)
    assert str(rrset[0].target).endswith(".amazonaws.com."), "a value without a final dot is a whole name"


def test_answers_are_authoritative_and_have_the_records_ttl() -> None:
    """The TTL is how long a source may go on posting to a lost region."""
    response = _ask([_zone(*PAIR)])
    assert response.rcode() == dns.rcode.NOERROR
    assert response.flags & dns.flags.AA
    assert response.answer[0].ttl == 10
    assert len(response.question) == 1


def test_an_address_is_answered_with_the_name_it_is_an_alias_of() -> None:
    """Outside our zones the resolver goes on by itself; inside them the answer has all of it."""
    response = _ask([_zone(*PAIR)], kind="A")
    assert [rrset.rdtype.name for rrset in response.answer] == ["CNAME"]
    inside = _zone(
        _record(NAME, "CNAME", "api.responder.test"), _record("api.responder.test", "A", "192.0.2.1")
    )
    response = _ask([inside], kind="A")
    assert [rrset.rdtype.name for rrset in response.answer] == ["CNAME", "A"]


def test_a_record_without_a_health_check_is_healthy() -> None:
    """As Route 53 takes it."""
    primary = _half("one.example.com", "PRIMARY", "p")
    secondary = _record(NAME, "CNAME", "two.example.com", failover="SECONDARY")
    response = _ask([_zone(primary, secondary)], healthy=())
    assert str(response.answer[0][0].target) == "two.example.com."


def test_no_such_name_and_no_such_type_are_told_apart() -> None:
    """Both carry the zone's SOA, whose minimum bounds how long the negative answer is kept (RFC 2308)."""
    missing = _ask([_zone(*PAIR)], "nobody.responder.test")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    other_type = _ask([_zone(_record("api.responder.test", "A", "192.0.2.1"))], "api.responder.test", "TXT")
    above = _ask([_zone(_record("a.b.responder.test", "A", "192.0.2.1"))], "b.responder.test", "A")
    assert other_type.rcode() == above.rcode() == dns.rcode.NOERROR
    for response in (missing, other_type, above):
        assert not response.answer
        (soa,) = response.authority
        assert soa.ttl == 900


def test_names_of_nobody_here_are_refused() -> None:
    """The server answers for its zones only; a zone within another one has its own names."""
    assert _ask([_zone(*PAIR)], "example.com", "A").rcode() == dns.rcode.REFUSED
    assert _ask([], NAME).rcode() == dns.rcode.REFUSED
    inner = Zone(name=dns.name.from_text(NAME), records=(_record(NAME, "SOA", SOA),))
    assert _ask([_zone(*PAIR), inner], NAME).answer == []


def test_a_loop_of_aliases_ends() -> None:
    """With an error, not with a hang."""
    loop = _zone(
        _record(NAME, "CNAME", "other.responder.test"), _record("other.responder.test", "CNAME", NAME)
    )
    assert _ask([loop], kind="A").rcode() == dns.rcode.SERVFAIL


def test_what_is_not_emulated_is_an_error_and_no_wrong_answer() -> None:
    """A weighted record must not be answered as if it were a simple one."""
    weighted = _record(NAME, "CNAME", "one.example.com", routed_otherwise=("Weight",))
    broken = _record("a.responder.test", "A", "not an address")
    assert _ask([_zone(weighted)]).rcode() == dns.rcode.SERVFAIL
    assert _ask([_zone(broken)], "a.responder.test", "A").rcode() == dns.rcode.SERVFAIL


def test_other_questions_are_refused_by_the_right_code() -> None:
    """RFC 1035 for updates and transfers."""
    assert _ask([_zone(*PAIR)], kind="AXFR").rcode() == dns.rcode.NOTIMP
    assert _ask([_zone(*PAIR)], kind="ANY").rcode() == dns.rcode.NOTIMP
    update = dns.message.make_query(NAME, "SOA")
    update.set_opcode(dns.opcode.STATUS)
    assert _ask([_zone(*PAIR)], query=update).rcode() == dns.rcode.NOTIMP
    nothing = dns.message.make_query(NAME, "A")
    nothing.question.clear()
    assert _ask([_zone(*PAIR)], query=nothing).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize("packet", [b"", b"\x00" * 11, b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 600])
def test_what_is_no_query_gets_no_answer(packet: bytes) -> None:
    """Nor an exception, which would close the server's socket."""
    assert answer(packet, [_zone(*PAIR)], lambda _: True) is None


def test_an_answer_gets_no_answer() -> None:
    """Two servers would talk for ever."""
    response = dns.message.make_response(dns.message.make_query(NAME, "CNAME"))
    assert answer(response.to_wire(), [_zone(*PAIR)], lambda _: True) is None
