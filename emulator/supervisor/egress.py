"""A region's only way out: an HTTP proxy that reaches the stand-ins for Slack and Claude and nothing else.

Lambda workers run unsandboxed on the person's machine with HTTP_PROXY and HTTPS_PROXY set to it, so a
handler that calls an unexpected host is refused and the attempt is listed. With a real service asked for
by name, CONNECT to that one host is let through, TLS untouched.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from emulator.ports import LOOPBACK
from emulator.supervisor.gate import splice

SLACK_HOST: Final = "hooks.slack.test"
SLACK_API_HOST: Final = "slack.test"
CLAUDE_HOST: Final = "api.anthropic.test"
"""Names that only this proxy knows; `.test` never resolves. https://www.rfc-editor.org/rfc/rfc6761#section-6.2"""

REAL_SLACK: Final = "hooks.slack.com:443"
REAL_CLAUDE: Final = "api.anthropic.com:443"

HEAD_WITHIN_S: Final = 10.0
REFUSED_KEPT: Final = 100


class Egress:
    """The proxy of one region, with the hosts it may reach. Its gate calls `serve` for each connection."""

    def __init__(self, *, stand_ins: Mapping[str, int], tunnels: frozenset[str] = frozenset()) -> None:
        """`stand_ins`: host name to loopback port; `tunnels`: each `host:port` that CONNECT may reach."""
        self._stand_ins = stand_ins
        self._tunnels = tunnels
        self.refused: deque[str] = deque(maxlen=REFUSED_KEPT)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one request's head, then pass the connection on to where it may go.

        A client keeps a proxied connection for one host only (httpcore and urllib both do), so the first
        head decides for all that follow on it; and aiohttp, which the stand-ins are made of, takes the
        absolute URL of a proxied request as it is (RFC 9112, 3.2.2).
        """
        async with asyncio.timeout(HEAD_WITHIN_S):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.LimitOverrunError:
                await self._refuse(writer, "a request head over 64 KiB")
                return
        method, _, rest = head.partition(b" ")
        target = rest.partition(b" ")[0].decode("latin-1")
        if method == b"CONNECT":
            await self._tunnel(reader, writer, target)
            return
        port = self._stand_ins.get(urlsplit(target).hostname or "")
        if port is None:
            await self._refuse(writer, urlsplit(target).netloc or target)
            return
        await splice(reader, writer, LOOPBACK, port, first=head)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        if target not in self._tunnels:
            await self._refuse(writer, target)
            return
        host, _, port = target.rpartition(":")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await splice(reader, writer, host, int(port))

    async def _refuse(self, writer: asyncio.StreamWriter, target: str) -> None:
        self.refused.append(target)
        allowed = ", ".join(sorted((*self._stand_ins, *self._tunnels)))
        body = f"the embedded AWS lets functions reach {allowed} only, not {target!r}\n".encode()
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
