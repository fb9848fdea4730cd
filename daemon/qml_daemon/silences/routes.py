"""`/api/v1/silences`: list, create, expire. A token's project bounds what it sees and what it can make quiet."""

import os
import re
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from qml_daemon.dispatch.silences import StoredSilence
from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import project_of, require, token_of
from qml_daemon.ingest.inbox import InboxClosedError, InboxFullError
from qml_daemon.silences.keeper import Change, SilenceKeeper
from quantum_mlops.clock import DAY, Clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.matcher import Matcher, format_matcher, parse_matcher
from quantum_mlops.errors import EventTooLargeError, LogError
from quantum_mlops.timestamps import format_time, parse_time

MAX_BODY_BYTES = 64 * 1024
MOST_MATCHERS = 64
LONGEST = 366 * DAY
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class NewSilence(Struct, kw_only=True, forbid_unknown_fields=True):
    """What to make quiet. `matchers` as routes have them; it lasts `for`, or until `ends` (RFC 3339)."""

    matchers: Annotated[list[str], Meta(max_length=MOST_MATCHERS)]
    for_: str | None = msgspec.field(default=None, name="for")
    starts: str | None = None
    ends: str | None = None
    comment: str = ""
    created_by: str = ""
    id: str | None = None


class ShownSilence(Struct, kw_only=True):
    """One silence as it is answered; `state` is pending, active or expired."""

    id: str
    state: str
    matchers: list[str]
    starts: str
    ends: str
    created_by: str
    comment: str


class SilenceList(Struct, kw_only=True):
    """All silences, the one that ends last first; ended ones of the last days included."""

    silences: list[ShownSilence]


def routes(keeper: SilenceKeeper, clock: Clock) -> list[BaseRoute]:
    """Return the routes."""

    @require("read")
    async def list_all(request: Request) -> Response:
        project = project_of(request)
        now = clock()
        shown = [show(one, now) for one in keeper.list() if _is_visible(one, project)]
        return _json(SilenceList(silences=shown))

    @require("admin")
    async def create(request: Request) -> Response:
        silence = _read(await _body(request), request, clock())
        known = keeper.get(silence.id)
        if known is not None and not _is_visible(known, project_of(request)):
            raise Problem(409, f"another silence is called {silence.id}; leave `id` out, or choose another")
        await _put(keeper, silence, "created", project_of(request))
        return _json(show(silence, clock()), HTTPStatus.CREATED)

    @require("admin")
    async def expire(request: Request) -> Response:
        project = project_of(request)
        known = keeper.get(request.path_params["id"])
        if known is None or not _is_visible(known, project):
            raise Problem(404, f"no silence is called {request.path_params['id']}; list them: GET /api/v1/silences")
        now = clock()
        ended = known if known.ends <= now else replace(known, starts=min(known.starts, now), ends=now)
        await _put(keeper, ended, "expired", project)
        return _json(show(ended, now))

    return [
        Route("/api/v1/silences", list_all, methods=["GET"]),
        Route("/api/v1/silences", create, methods=["POST"]),
        Route("/api/v1/silences/{id}", expire, methods=["DELETE"]),
    ]


def show(silence: StoredSilence, now: int) -> ShownSilence:
    """Return a silence as people read it."""
    return ShownSilence(
        id=silence.id,
        state="active" if silence.lasts(now) else "expired" if silence.ends <= now else "pending",
        matchers=[format_matcher(one) for one in silence.matchers],
        starts=format_time(silence.starts),
        ends=format_time(silence.ends),
        created_by=silence.created_by,
        comment=silence.comment,
    )


async def _put(keeper: SilenceKeeper, silence: StoredSilence, change: Change, project: str | None) -> None:
    try:
        await keeper.put(silence, change, project)
    except (InboxFullError, InboxClosedError, LogError) as error:
        raise Problem(503, str(error), {"Retry-After": "1"}) from error
    except EventTooLargeError as error:
        raise Problem(413, f"the silence is too large to be recorded: {error}") from error
    except ValueError as error:
        raise Problem(409, str(error)) from error


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Problem(413, f"a silence has at most {MAX_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _read(body: bytes, request: Request, now: int) -> StoredSilence:
    try:
        new = msgspec.json.decode(body, type=NewSilence)
        matchers = [parse_matcher(text) for text in new.matchers]
        starts = now if new.starts is None else parse_time(new.starts)
        if (new.for_ is None) == (new.ends is None):
            raise Problem(422, "say how long: either for (2h) or ends (an RFC 3339 time)")
        ends = starts + parse_duration(new.for_) if new.for_ is not None else parse_time(new.ends or "")
    except (msgspec.DecodeError, ValueError) as error:
        raise Problem(422, str(error)) from error
    if not matchers or all(one.operator in {"=", "=~"} and one.value in {"", ".*"} for one in matchers):
        raise Problem(422, 'a silence names what it is for, as in rule="CircuitDrift" or backend="ibm_hanoi"')
    if not now < ends <= now + LONGEST or ends <= starts:
        raise Problem(422, "a silence ends after it starts, in the future, and within a year")
    project = project_of(request)
    if project is not None:
        matchers = [*(one for one in matchers if one.name != "project"), _project_matcher(project)]
    token = token_of(request)
    by = new.created_by or ("" if token is None else token.name)
    name = os.urandom(6).hex() if new.id is None else new.id
    if _ID.fullmatch(name) is None:
        raise Problem(422, "id: up to 64 letters, digits, _ . and -, or leave it out")
    return StoredSilence(
        id=name, matchers=matchers, starts=starts, ends=ends, created_by=by[:128], comment=new.comment[:1024],
        created=now,
    )  # fmt: skip


def _project_matcher(project: str) -> Matcher:
    return Matcher(name="project", operator="=", value=project)


def _is_visible(silence: StoredSilence, project: str | None) -> bool:
    return project is None or _project_matcher(project) in silence.matchers


def _json(body: object, status: int = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
