"""What a token may see: a question is narrowed to its project."""

from typing import Any

from msgspec.structs import replace
from starlette.requests import Request

from qml_daemon.http.problem import Problem
from qml_daemon.http.tokens import project_of


def narrow(request: Request, query: Any) -> Any:
    """Return the query within what the token may see.

    Raises:
        Problem: 403, it asks for another project.

    """
    project = project_of(request)
    if project is None:
        return query
    if query.project not in {None, project}:
        detail = f"this token sees the project {project!r} only; leave `project` out"
        raise Problem(403, detail, members={"parameter": "project"})
    return replace(query, project=project)
