"""The one address for every AWS call: each goes to the process of the region and service in its signature.

The stock AWS CLI, boto3 and `pulumi up -s local` need only this endpoint. A killed or cut region is closed
here too: its calls are reset, as those to a region that vanished.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from emulator.ports import LOOPBACK
from emulator.sigv4 import Scope, scope_in

DURABLE_SERVICES: Final = frozenset({"backup", "dynamodb", "secretsmanager", "iam", "sts", "s3", "route53"})
"""By SigV4 service name: what outlives a region, served by the durable process."""

GLOBAL_SERVICES: Final = frozenset({"iam", "sts", "s3", "route53"})
"""Signed for us-east-1 by clients of any region, so the signature's region need not be one of ours."""

CONTROL_PLANES: Final = {"route53": "us-east-1"}
"""Services that cannot be called while one region is lost, whatever region a call was signed for: an SDK that
was given an endpoint signs for its own.
https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/global-services.html"""

BODY_MAX_BYTES: Final = 128 * 1024 * 1024
"""Above the largest thing a client sends whole: a 50 MB Lambda package, in base64.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

ANSWER_WITHIN_S: Final = 120.0

HOP_BY_HOP: Final = frozenset(
    name.casefold()
    for name in (
        hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION, hdrs.TE,
        hdrs.TRAILER, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.EXPECT,
    )
)  # fmt: skip
"""Not passed on (RFC 9110, 7.6.1); `Expect` has been answered by then."""


class RouteError(Exception):
    """The call is signed for a region that does not exist; it is answered 400."""


class UnreachableError(Exception):
    """The region is killed or cut off; the call is answered by a reset."""


Route = Callable[[Scope], int]
"""The loopback port for a scope. Raises RouteError or UnreachableError."""


def scope_of(request: web.BaseRequest) -> Scope | None:
    """The scope that `request` was signed for, in its header or, presigned, in its query; else None."""
    return scope_in(request.headers.get(hdrs.AUTHORIZATION, "") or request.query.get("X-Amz-Credential", ""))


class Edge:
    """The reverse proxy. Used from the supervisor's event loop only."""

    def __init__(self, route: Route) -> None:
        """`route` is asked anew for every request."""
        self._route = route
        self._session: aiohttp.ClientSession | None = None
        self._in_flight: dict[str, set[asyncio.Transport]] = {}

    def application(self) -> web.Application:
        """An application to serve; it makes and closes its own HTTP client."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.cleanup_ctx.append(self._client)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    def reset(self, region: str) -> None:
        """Reset the calls in flight to `region`; whether they take effect there is not known."""
        for transport in tuple(self._in_flight.get(region, ())):
            transport.abort()

    async def _client(self, _: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT_ENCODING, hdrs.ACCEPT, hdrs.CONTENT_TYPE),
        ) as self._session:
            yield

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        scope = scope_of(request)
        if scope is None:
            return _problem(
                request,
                "this address routes AWS calls by the region and service in their SigV4 signature, and this "
                "request has none; sign it, or use a webhook's own address",
            )
        try:
            port = self._route(scope)
        except RouteError as error:
            return _problem(request, str(error))
        except UnreachableError:
            return _abort(request)
        in_flight = self._in_flight.setdefault(scope.region, set())
        transport = request.transport
        if transport is None:
            return _abort(request)
        in_flight.add(transport)
        try:
            return await self._forward(request, port)
        except (aiohttp.ClientError, TimeoutError):
            return _abort(request)
        finally:
            in_flight.discard(transport)

    async def _forward(self, request: web.Request, port: int) -> web.Response:
        if self._session is None:
            raise AssertionError("the application's context makes the client before any request")
        url = URL(f"http://{LOOPBACK}:{port}{request.raw_path}", encoded=True)
        async with self._session.request(
            request.method, url, headers=_passed_on(request.headers), data=await request.read() or None,
            allow_redirects=False,
        ) as answer:  # fmt: skip
            # A HEAD answer has the length of a body that is not there.
            body = None if request.method == hdrs.METH_HEAD else await answer.read()
            return web.Response(status=answer.status, headers=_passed_on(answer.headers), body=body)


def _passed_on(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.casefold() not in HOP_BY_HOP)


def _abort(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _problem(request: web.BaseRequest, message: str) -> web.Response:
    """An error in the shape that the caller's SDK reads: JSON for the JSON protocols, else XML."""
    code = "EmulatorRoute"
    if "amz-json" in request.content_type:
        return web.json_response({"__type": code, "message": message}, status=400)
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error>"
    return web.Response(status=400, text=f"<ErrorResponse>{error}</ErrorResponse>", content_type="text/xml")
