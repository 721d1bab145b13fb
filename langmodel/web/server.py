"""The playground's server: one address, one event loop, and no patience with clients that never finish."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from langmodel.errors import InputError
from langmodel.web.application import application
from langmodel.web.served import ServedModel

HEADER_SECONDS = 10.0
"""For a request's first line and headers to arrive."""

MAX_CONNECTIONS = 256
"""At once; more are answered with 503."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for headers, which uvicorn has not: a client that sends a byte a second
    would hold its connection forever.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        cycle: Any = self.cycle  # None until the first request, whatever uvicorn's annotation says
        if self._deadline is None and (cycle is None or cycle.response_complete):
            self._expect_headers()
        super().data_received(data)
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._forget_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address; port 0 takes a free one. Raises InputError where it cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen at {host}:{port} ({error.strerror or error}); choose another --port"
        ) from None


def serve(
    models: Mapping[str, ServedModel],
    listening: socket.socket,
    hosts: frozenset[str],
    on_start: Callable[[], None],
) -> None:
    """Answer requests until interrupted; `on_start` is called when the first can be made."""
    config = uvicorn.Config(
        application(models, hosts),
        http=ImpatientProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=2,
        ws="none",
    )
    server = _Announced(config)
    server.on_start = on_start
    server.run(sockets=[listening])


class _Announced(uvicorn.Server):
    """Says when it has started."""

    on_start: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_start()
