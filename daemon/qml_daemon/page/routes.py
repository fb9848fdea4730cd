"""`/` and its two files, `/api/v1/status` (what the daemon and its exporters last wrote), and the pages on alerts.

The page only reads the API, so that it can show nothing that a program could not ask for.
"""

from pathlib import Path

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from qml_daemon.exporters.report import Remark, remark
from qml_daemon.following.report import remark_follower
from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import project_of, require
from qml_daemon.manual import PATH, page_of, read_pages
from qml_daemon.status import Status, read_status

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}


class ShownStatus(Status, frozen=True, kw_only=True):
    """What the daemon last wrote of itself; `remarks` is what is to be said of its exporters and its follower.

    A token of one project is shown `version`, `state`, `started` and `written` only.
    """

    remarks: list[Remark]


def routes(status_path: Path | None) -> list[BaseRoute]:
    """Return the routes; `status_path` is None where the daemon writes no status (a log in memory)."""
    contents = {name: (Path(__file__).parent / name).read_bytes() for name in _FILES}

    @require("read")
    async def show_page(request: Request) -> Response:  # noqa: ARG001 - the signature of a handler
        return Response(contents["index.html"], headers=_HEADERS, media_type=_FILES["index.html"])

    @require("read")
    async def show_file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {"page.css", "page.js"}:
            raise Problem(404, f"there is no {request.url.path}")
        return Response(contents[name], headers=_HEADERS, media_type=_FILES[name])

    @require("read")
    async def show_status(request: Request) -> Response:
        found = None if status_path is None else await anyio.to_thread.run_sync(_read, status_path)
        if found is None:
            raise Problem(503, "the daemon has written no status yet", {"Retry-After": "1"})
        body = msgspec.to_builtins(found)
        if project_of(request) is not None:  # paths and counts of everybody are the operator's
            body = {name: body[name] for name in ("version", "state", "started", "written")}
        return Response(msgspec.json.encode(body), media_type="application/json", headers={"Cache-Control": "no-store"})

    async def show_alert_page(request: Request) -> Response:
        # Open to all: it is the manual, the same everywhere, and whoever is on call comes from a link in a message.
        name = page_of(request.path_params["rule"].removesuffix(".md"))
        if name is None:
            raise Problem(404, "there is no page on this rule; the rules of plugins have none here")
        return Response(read_pages()[name], headers=_HEADERS, media_type="text/plain; charset=utf-8")

    async def go_home(request: Request) -> Response:  # noqa: ARG001 - the signature of a handler
        return RedirectResponse("/page/")

    return [
        Route("/", go_home),
        Route("/page/", show_page),
        Route("/page/{name}", show_file),
        Route("/api/v1/status", show_status),
        Route(f"{PATH}/{{rule:path}}", show_alert_page),
    ]


def _read(path: Path) -> ShownStatus | None:
    found = read_status(path)
    if found is None:
        return None
    remarks = [*remark(path.parent, found.exporters), *remark_follower(path.parent, found.follower)]
    return ShownStatus(**msgspec.structs.asdict(found), remarks=remarks)
