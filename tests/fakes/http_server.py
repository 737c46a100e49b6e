"""A real HTTP server on the loopback that answers by a script: for adapters that speak HTTP."""

import contextlib
import itertools
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

_HANG_MAX_S = 10
_DRIP_S = 0.02
_ENDLESS = 1_000_000


@dataclass
class Answer:
    """What the server says next. `hang`: nothing until it is stopped; `reset`: it closes the connection.

    `drip`: a byte now and then for as long as anybody listens, in its `headers` or, after them, its `body`.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False
    reset: bool = False
    drip: Literal["headers", "body"] | None = None


@dataclass
class Heard:
    """One request that the server got; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Runs in threads from its making to `stop`. The last answer of `script` repeats."""

    def __init__(self, script: list[Answer], *, delay_s: float = 0.0) -> None:
        """Listen on a free port; each answer takes `delay_s`."""
        self._delay_s = delay_s
        self.script = script
        self.heard: list[Heard] = []
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """End, and let go whoever hangs."""
        self._over.set()
        self._http.shutdown()
        self._http.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.heard.append(Heard(self.path, headers, content))
                answer = server.script.pop(0) if len(server.script) > 1 else server.script[0]
                server._over.wait(server._delay_s)
                if answer.hang:
                    server._over.wait(_HANG_MAX_S)
                if answer.hang or answer.reset:
                    self.close_connection = True
                    return
                if answer.drip == "headers":
                    _drip(self, b"HTTP/1.1 200 OK\r\nX-Endless: ", until=server._over)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = _ENDLESS if answer.drip else len(answer.body)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if answer.drip == "body":
                    _drip(self, b"", until=server._over)
                    return
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - a redirect that is followed comes as GET

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        return Handler


def _drip(handler: BaseHTTPRequestHandler, start: bytes, *, until: threading.Event) -> None:
    """Send `start`, then a byte now and then."""
    handler.close_connection = True
    with contextlib.suppress(OSError):
        for piece in itertools.chain((start,), itertools.repeat(b"x")):
            handler.wfile.write(piece)
            if until.wait(_DRIP_S):
                return
