"""Who asks: `require(scope)` before a handler, `token_of` and `project_of` inside it.

Without a tokens file (loopback only) everything is allowed, and there is no token.

Source: RFC 6750 (bearer), RFC 7617 (basic: any name, the secret as password, for browsers).
"""

import base64
import binascii
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from qml_daemon.http.problem import Problem
from qml_daemon.http.token_file import EVERY_PROJECT, Scope, Token, TokenFile

Handler = Callable[[Request], Awaitable[Response]]
MAX_SECRET = 512
_CHALLENGE = 'Bearer realm="quantum-mlops", Basic realm="quantum-mlops: any name, the token as password"'


def require(scope: Scope) -> Callable[[Callable[[Request], Any]], Handler]:
    """Return a decorator: the handler runs only for a token with `scope`, else the answer is 401 or 403.

    A plain function runs in a thread of the pool, as Starlette's own routes do.

    >>> @require("read")
    ... async def show(request: Request) -> Response:
    ...     return Response(project_of(request) or "every project")
    """

    def wrap(handler: Callable[[Request], Any]) -> Handler:
        is_async = inspect.iscoroutinefunction(handler)

        async def guarded(request: Request) -> Response:
            request.state.token = authorize(request, scope)
            if is_async:
                response: Response = await handler(request)
                return response
            return await run_in_threadpool(handler, request)

        guarded.__name__ = getattr(handler, "__name__", "handler")
        guarded.__doc__ = handler.__doc__
        return guarded

    return wrap


def authorize(request: Request, scope: Scope) -> Token | None:
    """Return the token that a request carries; None where the service has no tokens.

    Raises:
        Problem: 401 without a known token, 403 where it lacks the scope.

    """
    tokens: TokenFile | None = request.app.state.tokens
    if tokens is None:
        return None
    secret = _secret(request.headers.get("authorization", ""))
    if secret is None:
        raise Problem(401, "a token is needed: Authorization: Bearer <token>", {"WWW-Authenticate": _CHALLENGE})
    token = tokens.find(secret)
    if token is None:
        raise Problem(401, "this token is not known here", {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})
    if not token.allows(scope):
        raise Problem(403, f"the token {token.name} lacks the scope {scope}")
    return token


def token_of(request: Request) -> Token | None:
    """Return the token of a request that `require` let in; None where the service has no tokens."""
    token: Token | None = request.state.token
    return token


def project_of(request: Request) -> str | None:
    """Return the one project that the request may see and write; None: every project."""
    token = token_of(request)
    return None if token is None or token.project == EVERY_PROJECT else token.project


def _secret(header: str) -> str | None:
    scheme, _, text = header.partition(" ")
    text = text.strip()
    if not text or len(text) > 2 * MAX_SECRET:
        return None
    if scheme.lower() == "bearer":
        return text
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(text, validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None
