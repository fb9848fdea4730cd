"""`POST /api/v1/events`: what one request is answered, after the log's commit.

202 where something was taken, with what was not; 4xx where nothing was. A 4xx answer is final except 401, 403
(mend the token), 408 and 429; those and 503 are worth another try. Events are safe to send again: the runner
drops what it knows by (source, id).
"""

import math
from collections import Counter

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import authorize, project_of, token_of
from qml_daemon.ingest.batch import Judged, Rejected, judge, sort_out, split
from qml_daemon.ingest.body import Bodies
from qml_daemon.ingest.inbox import Inbox, InboxClosedError, InboxFullError
from qml_daemon.ingest.rate import Rates
from qml_daemon.intake.sieve import REFUSALS
from quantum_mlops.clock import Clock
from quantum_mlops.errors import LogError
from quantum_mlops.shipping.client import VERSION_HEADER
from quantum_mlops.version import __version__

PATH = "/api/v1/events"
CHARGED_BYTES = 4096
"""A request is charged an event for each of these, besides one for each event."""


class IngestStats(Struct, frozen=True, kw_only=True):
    """Counts since the start. `rejected` is by the code of the reason, `refused` whole requests by HTTP status."""

    requests: int
    accepted: int
    rejected: dict[str, int]
    refused: dict[str, int]
    waiting: int


class Receipt(Struct, frozen=True):
    """What became of the events. `rejected` will never be taken as they are; the rest is stored."""

    accepted: int
    rejected: list[Rejected]


_encode = msgspec.json.Encoder().encode


class Door:
    """Takes requests and hands their events to the inbox. One event loop; `stats` from any thread."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        self._bodies = Bodies()
        self._rates = Rates()
        self._requests = self._accepted = 0
        self._rejected: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        """Return the route, for tokens with the scope `ingest`."""
        return [Route(PATH, self.receive, methods=["POST"])]

    async def receive(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            Problem: nothing of it was taken, or 503: whether it was is unknown.

        """
        self._requests += 1
        try:
            request.state.token = authorize(request, "ingest")  # here, so that who is turned away is counted
            judged = await self._take(request)
        except Problem as problem:
            self._refused[str(problem.status)] += 1
            raise
        self._accepted += len(judged.events)
        self._rejected.update(one.code for one in judged.rejected)
        if judged.rejected and not judged.events:
            self._refused["422"] += 1
            rejected = msgspec.to_builtins(judged.rejected)
            raise Problem(422, _summarize(judged.rejected), members={"accepted": 0, "rejected": rejected})
        receipt = _encode(Receipt(len(judged.events), judged.rejected))
        return Response(receipt, 202, {VERSION_HEADER: __version__}, media_type="application/json")

    def stats(self) -> IngestStats:
        """Return counts since the start."""
        return IngestStats(
            requests=self._requests,
            accepted=self._accepted,
            rejected=dict(self._rejected),
            refused=dict(self._refused),
            waiting=self._inbox.stats().waiting,
        )

    async def _take(self, request: Request) -> Judged:
        if self._inbox.is_full():
            raise _full()
        body = await self._bodies.read(request)
        self._charge(request, len(body) // CHARGED_BYTES)
        raws = split(body, request.headers.get("content-type", ""))
        self._charge(request, len(raws))
        judged = judge(raws, project_of(request), self._clock())
        try:
            await self._store(judged, len(body))
        except REFUSALS:  # decided before anything was written: one of them is not what it seemed
            judged = sort_out(judged)
            await self._store(judged, len(body))
        return judged

    async def _store(self, judged: Judged, size_bytes: int) -> None:
        if not judged.events:
            return
        try:
            await self._inbox.append(judged.events, size_bytes)
        except InboxFullError:
            raise _full() from None
        except InboxClosedError as error:
            raise Problem(503, str(error), {"Retry-After": "1"}) from None
        except LogError as error:
            raise Problem(503, f"the log cannot be written: {error}", {"Retry-After": "5"}) from None

    def _charge(self, request: Request, count: int) -> None:
        token = token_of(request)
        if token is None:
            return
        wait_seconds = self._rates.charge(token, count)
        if wait_seconds > 0.0:
            detail = f"the token {token.name} may send {token.events_per_second} events a second"
            raise Problem(429, detail, {"Retry-After": str(math.ceil(wait_seconds))})


def _full() -> Problem:
    return Problem(503, "more waits for the log than it takes now", {"Retry-After": "1"})


def _summarize(rejected: list[Rejected]) -> str:
    first = rejected[0]
    more = f" (and {len(rejected) - 1} more)" if len(rejected) > 1 else ""
    return f"no event was taken; event {first.index}: {first.reason}{more}"
