"""The service's thread: uvicorn on its own event loop, beside the daemon's main loop.

The socket is bound by the constructor, so that a port that is taken is told before anything else starts.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette

from qml_daemon.http.address import Address
from qml_daemon.http.idle import HEAD_SECONDS, IdleConnections
from quantum_mlops.errors import ConfigError

STOP_SECONDS = 1.0
GRACE_SECONDS = 0.5
KEEP_ALIVE_SECONDS = 30
_TICK_SECONDS = 1.0
_TURNS_TO_CONNECT = 3
MOST_CONNECTIONS = 512
_HEADERS = [("x-content-type-options", "nosniff"), ("cross-origin-resource-policy", "same-origin")]

_logger = logging.getLogger("quantum_mlops.http")


class _Server(uvicorn.Server):
    """Wakes once a second, for the Date header and idle connections, instead of ten times, and at once for the end."""

    def __init__(self, settings: uvicorn.Config, stopping: asyncio.Event, head_seconds: float) -> None:
        super().__init__(settings)
        self._stopping = stopping
        self._idle = IdleConnections(time.monotonic, head_seconds)

    async def main_loop(self) -> None:
        """Serve until the end."""
        while not await self.on_tick(0):
            self._idle.sweep(self.server_state.connections)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let those just accepted become connections, and only then end them all.

        asyncio leaks a socket that was accepted in the turn of its loop in which the listener is closed: its client
        would wait for ever.
        """
        loop = asyncio.get_running_loop()
        for listener in sockets or []:
            loop.remove_reader(listener)
        for _ in range(_TURNS_TO_CONNECT):
            await asyncio.sleep(0)
        await super().shutdown(sockets)


class HttpServer:
    """Serves one app on one address, in one thread. `start` once, then `begin_stop` and `close`.

    A connection on which no whole head of a request came for `head_seconds` is closed.

    Raises:
        ConfigError: the address cannot be bound; the line names the port, the key and the mend.

    """

    def __init__(self, app: Starlette, address: Address, head_seconds: float = HEAD_SECONDS) -> None:
        self._app = app
        self._socket = _bind(address)
        self.address = Address(*self._socket.getsockname()[:2])
        self.fault: str | None = None
        settings = uvicorn.Config(
            app,
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=_HEADERS,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        settings.timeout_graceful_shutdown = GRACE_SECONDS  # type: ignore[assignment]  # typed as int, used as seconds
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # requests' errors are told by the app
        self._server = _Server(settings, app.state.stopping, head_seconds)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Serve from now on, in a thread."""
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def begin_stop(self) -> None:
        """Take no more connections, end endless answers, let the others finish; does not block. Idempotent."""
        self._server.should_exit = True
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._app.state.stopping.set)
            except RuntimeError:  # the loop is closed: the thread has ended already
                return

    def close(self, timeout_seconds: float = STOP_SECONDS) -> bool:
        """Stop and wait for the thread; False where it did not end in time. Idempotent."""
        self.begin_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        if not self._thread.is_alive():
            self._socket.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # the boundary of a thread: nobody else would hear of it
            self.fault = f"the HTTP service ended: {type(error).__name__}: {error}"
            _logger.exception("the HTTP service ended")

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self._server.should_exit:
            await self._server.serve(sockets=[self._socket])


def _bind(address: Address) -> socket.socket:
    try:
        family, kind, number, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, number)
    except OSError as error:
        raise ConfigError(f"http.listen: {address.host}: {error.strerror}; name an address of this machine") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(MOST_CONNECTIONS)
    except OSError as error:
        found.close()
        raise ConfigError(_explain(address, error)) from error
    found.setblocking(False)  # noqa: FBT003 - the signature of a socket
    return found


def _explain(address: Address, error: OSError) -> str:
    where = address.url.removeprefix("http://")
    if error.errno == errno.EADDRINUSE:
        return (
            f"http.listen: port {address.port} of {address.host} is taken by another program, perhaps another daemon; "
            f'choose another (QML_HTTP__LISTEN="{where.rpartition(":")[0]}:{(address.port + 1) % 65_536}"), or "off"'
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"http.listen: {where}: not permitted; ports below 1024 are the system's, choose a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"http.listen: {where}: this machine has no such address"
    return f"http.listen: {where}: {os.strerror(error.errno or 0)}"
