"""A gate: a loopback port that serves connections while it is open, and refuses them while it is shut.

Each region has three: webhooks in, durable services, and the way out to Slack and Claude. So a region can
be cut off while its processes run on. The supervisor owns them.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from emulator.ports import LOOPBACK, free_port, in_use

CHUNK_BYTES: Final = 65_536
CONNECT_WITHIN_S: Final = 5.0

NO_LINGER: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, with no time: closing sends RST. https://man7.org/linux/man-pages/man7/socket.7.html"""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection of a gate; the gate closes it afterwards."""


class Gate:
    """A loopback port that can be opened and shut. It starts shut, but holds its port.

    A shut gate does not listen, so that a caller knows that nothing was sent; what was connected is reset.
    """

    def __init__(self, what: str, serve: Serve) -> None:
        """`what` names it in errors."""
        self.what = what
        self.port = 0
        self._serve = serve
        self._is_open = False
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def claim(self, port: int = 0) -> None:
        """Take `port`, or any free one.

        Raises:
            PortInUseError: another program has it.
        """
        self.port = port or free_port()
        await self._listen()

    async def open(self) -> None:
        """Serve connections from now on.

        Raises:
            PortInUseError: another program took the port while the gate was shut.
        """
        await self._listen()
        self._is_open = True

    def shut(self) -> None:
        """Reset what is connected, and refuse every connection from now on."""
        self._is_open = False
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in tuple(self._connections):
            task.cancel()

    async def _listen(self) -> None:
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        except OSError as error:
            raise in_use(self.port, self.what) from error

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if not self._is_open or task is None:
            reset(writer)
            return
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            reset(writer)
        except asyncio.CancelledError:
            # A shut gate: the task ends here, so that asyncio does not log a cancelled server callback.
            reset(writer)
        else:
            writer.close()
        finally:
            self._connections.discard(task)


def passing_to(port: int) -> Serve:
    """Pass every byte on to a port of this machine, both ways."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await splice(reader, writer, LOOPBACK, port)

    return serve


async def splice(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int, first: bytes = b""
) -> None:
    """Connect to `host`, send `first`, then pass bytes on both ways until both sides are done.

    Raises:
        ConnectionError, TimeoutError: the other side cannot be reached, or was reset.
    """
    async with asyncio.timeout(CONNECT_WITHIN_S):
        far_reader, far_writer = await asyncio.open_connection(host, port)
    try:
        far_writer.write(first)
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(_pump(reader, far_writer))
            pumps.create_task(_pump(far_reader, writer))
    except ExceptionGroup as group:
        reset(far_writer)
        raise ConnectionResetError(str(group.exceptions[0])) from group
    except asyncio.CancelledError:
        reset(far_writer)
        raise
    far_writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection the way a vanished machine does: RST, nothing flushed."""
    connection = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof() and not writer.is_closing():
        writer.write_eof()
