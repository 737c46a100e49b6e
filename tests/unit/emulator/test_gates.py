"""Gates and the way out of a region: what passes, what is reset, what is refused."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.errors import PortInUseError
from emulator.supervisor.egress import Egress
from emulator.supervisor.gate import Gate, passing_to

Run = Callable[[Any], Any]
NOTHING = 1
"""A port that nobody listens on without root."""


@pytest.fixture
def echo(run: Run) -> Iterator[int]:
    """A server that answers each line with `echo ` before it; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(b"echo " + line)
        writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    async def stop(server: asyncio.Server) -> None:
        server.close()

    server = run(start())
    yield server.sockets[0].getsockname()[1]
    run(stop(server))


@pytest.fixture
def gate(run: Run) -> Iterator[Callable[[Any], Gate]]:
    """Make an open gate for what it serves."""
    gates: list[Gate] = []

    def make(serve: Any) -> Gate:
        made = Gate("test", serve)
        gates.append(made)
        run(made.claim())
        run(made.open())
        return made

    yield make
    for one in gates:
        run(done(one.shut))


async def done(action: Callable[[], None]) -> None:
    """Do it on the loop that owns the gate."""
    action()


def test_claimed_gate_serves_nobody_before_it_opens(echo: int, run: Run) -> None:
    """Its port is taken, and what connects is reset, maybe before the client is through with its own end."""
    claimed = Gate("test", passing_to(echo))
    run(claimed.claim())
    with pytest.raises(OSError, match=r"reset|not connected"):
        exchange(claimed.port, b"hello\n")
    run(done(claimed.shut))


def connect(port: int) -> socket.socket:
    """A client connection with a deadline."""
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def exchange(port: int, sent: bytes) -> bytes:
    """Send, and read until the other side closes."""
    with connect(port) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


def test_open_gate_passes_bytes_both_ways(echo: int, gate: Callable[[Any], Gate]) -> None:
    """Large bodies too, and the end of either side."""
    opened = gate(passing_to(echo))
    with connect(opened.port) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"echo hello\n"
    assert len(exchange(opened.port, b"y" * 60_000 + b"\n")) == 60_000 + len(b"echo \n")


def test_shut_gate_resets_what_is_connected_and_refuses_what_comes(
    echo: int, gate: Callable[[Any], Gate], run: Run
) -> None:
    """As a network that was cut: no clean end, then no connection; opening again serves anew."""
    opened = gate(passing_to(echo))
    with connect(opened.port) as client:
        client.sendall(b"hello\n")
        client.recv(100)
        run(done(opened.shut))
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    with pytest.raises(ConnectionRefusedError):
        exchange(opened.port, b"hello\n")
    run(opened.open())
    assert exchange(opened.port, b"again\n") == b"echo again\n"


def test_gate_to_nothing_resets(gate: Callable[[Any], Gate]) -> None:
    """A dead process behind an open gate is no clean end either."""
    with pytest.raises(OSError, match=r"reset|not connected"):
        exchange(gate(passing_to(NOTHING)).port, b"hello\n")


def test_port_that_is_taken_is_named(run: Run) -> None:
    """What it was for, and its number."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} \(webhooks\) is in use.*--free-ports"):
            run(Gate("webhooks", passing_to(NOTHING)).claim(port))


def test_way_out_leads_to_the_stand_in(echo: int, gate: Callable[[Any], Gate]) -> None:
    """The request arrives as it was sent, its absolute URL included."""
    egress = Egress(stand_ins={"hooks.slack.test": echo})
    answer = exchange(gate(egress.serve).port, b"POST http://hooks.slack.test/x HTTP/1.1\r\n\r\n")
    assert answer == b"echo POST http://hooks.slack.test/x HTTP/1.1\r\necho \r\n"
    assert not egress.refused


@pytest.mark.parametrize(
    ("head", "target"),
    [
        (b"GET http://example.com/x HTTP/1.1\r\n\r\n", "example.com"),
        (b"GET http://hooks.slack.test.example.com/ HTTP/1.1\r\n\r\n", "hooks.slack.test.example.com"),
        (b"GET http://hooks.slack.test@example.com/ HTTP/1.1\r\n\r\n", "hooks.slack.test@example.com"),
        (b"CONNECT hooks.slack.com:443 HTTP/1.1\r\n\r\n", "hooks.slack.com:443"),
        (b"GET /x HTTP/1.1\r\n\r\n", "/x"),
        (b"\r\n\r\n", ""),
    ],
)
def test_way_out_refuses_every_other_target(
    echo: int, gate: Callable[[Any], Gate], head: bytes, target: str
) -> None:
    """403 says what is allowed; the attempt is listed."""
    egress = Egress(stand_ins={"hooks.slack.test": echo})
    answer = exchange(gate(egress.serve).port, head)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"hooks.slack.test only" in answer
    assert list(egress.refused) == [target]


def test_tunnel_reaches_only_the_host_and_port_that_was_asked_for(
    echo: int, gate: Callable[[Any], Gate]
) -> None:
    """CONNECT, for a real service that was chosen by name."""
    egress = Egress(stand_ins={}, tunnels=frozenset({f"127.0.0.1:{echo}"}))
    opened = gate(egress.serve)
    answer = exchange(opened.port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nhello\n" % echo)
    assert answer == b"HTTP/1.1 200 Connection established\r\n\r\necho hello\n"
    assert b"403" in exchange(opened.port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % (echo + 1))


def test_endless_head_is_refused(gate: Callable[[Any], Gate]) -> None:
    """Nothing reads without a limit."""
    egress = Egress(stand_ins={})
    head = b"GET http://x/ HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"
    with connect(gate(egress.serve).port) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 403")
