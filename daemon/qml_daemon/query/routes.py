"""The routes of the lists: parameters in, JSON out; reading happens in threads, at most four at a time."""

from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import require
from qml_daemon.query.lists import (
    LISTINGS,
    Listing,
    Sources,
    answer_alert,
    answer_alerts,
    answer_one,
    answer_page,
)
from qml_daemon.query.openapi import document
from qml_daemon.query.parameters import AlertQuery, OneQuery, read_query
from qml_daemon.query.scope import narrow
from quantum_mlops.errors import LogError

MOST_AT_ONCE = 4
PREFIX = "/api/v1"
_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def routes(sources: Sources) -> list[BaseRoute]:
    """Return the routes of all lists and of their description. Reading needs the scope `read`."""
    desk = _Desk(sources)
    found: list[BaseRoute] = []
    for listing in LISTINGS:
        found += [
            Route(f"{PREFIX}/{listing.name}", require("read")(desk.pages(listing))),
            Route(f"{PREFIX}/{listing.name}/{{id:path}}", require("read")(desk.ones(listing))),
        ]
    return [
        *found,
        Route(f"{PREFIX}/alerts", require("read")(desk.show_alerts)),
        Route(f"{PREFIX}/alerts/{{id:path}}", require("read")(desk.show_alert)),
        Route(f"{PREFIX}/openapi.json", require("read")(_describe)),
    ]


class _Desk:
    """Takes the questions."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._limiter: anyio.CapacityLimiter | None = None

    def pages(self, listing: Listing) -> Callable[[Request], Any]:
        """Return the handler of a list."""

        async def show_page(request: Request) -> Response:
            query = narrow(request, read_query(request.query_params.multi_items(), listing.query))
            return await self._answer(lambda: answer_page(self._sources, listing, query))

        return show_page

    def ones(self, listing: Listing) -> Callable[[Request], Any]:
        """Return the handler of one thing."""

        async def show_one(request: Request) -> Response:
            query = narrow(request, read_query(request.query_params.multi_items(), OneQuery))
            name = request.path_params["id"]
            return await self._answer(lambda: answer_one(self._sources, listing, name, query.project))

        return show_one

    async def show_alerts(self, request: Request) -> Response:
        """Answer a page of alerts."""
        query = narrow(request, read_query(request.query_params.multi_items(), AlertQuery))
        return await self._answer(lambda: answer_alerts(self._sources, query))

    async def show_alert(self, request: Request) -> Response:
        """Answer one alert."""
        query = narrow(request, read_query(request.query_params.multi_items(), OneQuery))
        return await self._answer(lambda: answer_alert(self._sources, request.path_params["id"], query.project))

    async def _answer(self, ask: Callable[[], Struct]) -> Response:
        if self._limiter is None:  # made on the event loop that uses it
            self._limiter = anyio.CapacityLimiter(MOST_AT_ONCE)
        try:
            body = await anyio.to_thread.run_sync(lambda: _encode(ask()), limiter=self._limiter)
        except LogError as error:
            raise Problem(503, f"cannot be read now: {error}", {"Retry-After": "1"}) from error
        return Response(body, media_type=_JSON, headers={"Cache-Control": "no-store"})


async def _describe(request: Request) -> Response:  # noqa: ARG001 - the signature of a handler
    return Response(_encode(document()), media_type=_JSON)
