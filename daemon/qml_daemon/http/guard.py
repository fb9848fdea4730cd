"""What a browser must not be used for: rebound names and other sites' requests are refused before any handler.

Without tokens the loopback address is the only lock, and a web page on the same machine could reach it by a
name that its owner points at 127.0.0.1. So the Host has to be one of ours. With or without tokens, a request
that changes something and comes from another site's page is refused.

Source: OWASP, "Cross-Site Request Forgery Prevention" (verifying the origin); Fetch Metadata (Sec-Fetch-Site).
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from qml_daemon.http.address import is_loopback
from qml_daemon.http.problem import Problem, answer

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_OWN_SITE = {"same-origin", "none"}


class Guard:
    """ASGI middleware. `hosts` are names besides loopback; `any_host` where tokens protect the service."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], *, any_host: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421 or 403."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            problem = self._refuse(scope["method"], headers)
            if problem is not None:
                await answer(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refuse(self, method: str, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        if not self._any_host:
            name = hostname(host)
            if not (is_loopback(name) or name in self._hosts):
                detail = f"this service is not {host[:80]!r}: use its loopback address, or set http.external_url"
                return Problem(421, detail)
        if method in _SAFE_METHODS:
            return None
        origin = headers.get("origin")
        site = headers.get("sec-fetch-site")
        if origin is not None and not self._is_own(origin, host):
            return Problem(403, "a page of another site may not change anything here")
        if site is not None and site not in _OWN_SITE and origin is None:
            return Problem(403, "a page of another site may not change anything here")
        return None

    def _is_own(self, origin: str, host: str) -> bool:
        """Return whether the page that asks is this service's own; behind a proxy the Host may differ."""
        place = origin.partition("://")[2].lower()
        return place == host.lower() or hostname(place) in self._hosts


def hostname(host: str) -> str:
    """Return the name in a Host header, lower case, without port and brackets.

    >>> hostname("[::1]:8765"), hostname("Localhost:80")
    ('::1', 'localhost')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
