"""Refusals as problem details: one JSON shape for everything that is not what the client asked for.

Source: RFC 9457.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

PROBLEM = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's word
    """Raised by a handler; the app answers with it.

    `detail` tells the client what to mend; `members` are further members of the JSON object.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = dict(members or {})


def answer(problem: Problem) -> Response:
    """Return the response of a problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    return Response(msgspec.json.encode(body), problem.status, problem.headers, PROBLEM)
