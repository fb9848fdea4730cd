"""`GET /api/v1/stream`: what is new, as server-sent events.

`event:` is run, job, finding or alert and `data:` the thing as the lists show it; `resync` says that something was
missed: ask the lists again. At most ten times a second, a comment every 15 s, and the end with the daemon's.

Source: WHATWG HTML, "Server-sent events".
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import require
from qml_daemon.query.feed import Feed, Listener
from qml_daemon.query.parameters import OneQuery, read_query
from qml_daemon.query.scope import narrow
from quantum_mlops.errors import LogError

HEARTBEAT_SECONDS = 15.0
PACE_SECONDS = 0.1
LOOK_SECONDS = 1.0
RETRY_MILLISECONDS = 2000
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def routes(feed: Feed, look: Callable[[], None]) -> list[Route]:
    """Return the route. `look` publishes what is not told by itself; it may block, and runs in a thread."""

    @require("read")
    async def stream(request: Request) -> Response:
        query = narrow(request, read_query(request.query_params.multi_items(), OneQuery))
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_HEADERS)
        await _look(look)
        listener = feed.join(query.project, request.headers.get("last-event-id"))
        if listener is None:
            raise Problem(503, "too many listen already; ask again later", {"Retry-After": "30"})
        stopping: asyncio.Event = request.app.state.stopping
        return StreamingResponse(
            _tell(feed, listener, stopping, look), media_type="text/event-stream", headers=_HEADERS
        )

    return [Route("/api/v1/stream", stream)]


async def _tell(
    feed: Feed, listener: Listener, stopping: asyncio.Event, look: Callable[[], None]
) -> AsyncIterator[bytes]:
    ends = asyncio.ensure_future(stopping.wait())
    try:
        # The first id: who loses the line before anything happened can still resume.
        yield b"retry: %d\nid: %b\n\n" % (RETRY_MILLISECONDS, feed.last().encode())
        spoke = time.monotonic()
        while not stopping.is_set():
            lost, notices = listener.take()
            parts = [b"event: resync\ndata: {}\n\n"] if lost else []
            parts += [
                b"id: %b\nevent: %b\ndata: %b\n\n" % (feed.name(one.number).encode(), one.kind.encode(), one.body)
                for one in notices
            ]
            if not parts and time.monotonic() - spoke >= HEARTBEAT_SECONDS:
                parts = [b": alive\n\n"]
            if parts:
                yield b"".join(parts)
                spoke = time.monotonic()
                await _until(ends, asyncio.sleep(PACE_SECONDS))
            await _until(ends, _news_or_look(listener))
            await _look(look)
    finally:
        ends.cancel()
        feed.leave(listener)


async def _news_or_look(listener: Listener) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listener.wait(), LOOK_SECONDS)


async def _until(ends: asyncio.Future[Any], work: Coroutine[Any, Any, None]) -> None:
    """Wait for the work or for the end, whichever is first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({ends, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        task.cancel()


async def _look(look: Callable[[], None]) -> None:
    with contextlib.suppress(LogError):  # the lists say so to whoever asks them; the stream goes on
        await anyio.to_thread.run_sync(look)
