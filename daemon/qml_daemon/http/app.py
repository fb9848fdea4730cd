"""The Starlette app: the rooms' routes behind one guard, every refusal a problem, every error counted."""

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from qml_daemon.http.guard import Guard
from qml_daemon.http.problem import Problem, answer
from qml_daemon.http.token_file import TokenFile

_logger = logging.getLogger("quantum_mlops.http")


def build_app(
    routes: Sequence[BaseRoute], tokens: TokenFile | None = None, external_url: str | None = None
) -> Starlette:
    """Return the app of these routes.

    `app.state.tokens` is what `require` asks; `app.state.stopping` is an `asyncio.Event` that endless
    answers (server-sent events) wait for beside their own work, and then end; `app.state.errors` counts
    the handlers that failed, which answer 500.
    """
    host = None if external_url is None else urlsplit(external_url).hostname
    guard = Middleware(Guard, hosts=frozenset({host} if host else ()), any_host=tokens is not None)
    handlers = {Problem: _tell, HTTPException: _tell_starlette, Exception: _fail}
    app = Starlette(routes=list(routes), middleware=[guard], exception_handlers=handlers)  # type: ignore[arg-type]
    app.router.redirect_slashes = False
    app.state.tokens = tokens
    app.state.stopping = asyncio.Event()
    app.state.errors = 0
    return app


async def _tell(request: Request, problem: Problem) -> Response:  # noqa: ARG001 - the signature of a handler
    return answer(problem)


async def _tell_starlette(request: Request, error: HTTPException) -> Response:
    detail = f"there is no {request.url.path}" if error.status_code == HTTPStatus.NOT_FOUND else error.detail
    return answer(Problem(error.status_code, detail, error.headers))


async def _fail(request: Request, error: Exception) -> Response:
    # Whatever a handler raised: one request fails, the service goes on; counted, and logged with its place.
    request.app.state.errors += 1
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    detail = "the service failed on this request; its log says why"
    return answer(Problem(500, detail, {"Connection": "close"}))  # uvicorn closes it after an error, so say it
