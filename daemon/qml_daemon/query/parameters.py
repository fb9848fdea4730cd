"""What can be asked: one struct a list. The OpenAPI document is generated from the same definitions."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from qml_daemon.http.problem import Problem
from quantum_mlops.config.keys import suggest
from quantum_mlops.timestamps import parse_time

Text = Annotated[str, Meta(max_length=512)]
Time = Annotated[str, Meta(max_length=64, extra_json_schema={"format": "date-time"})]
Project = Annotated[Text | None, Meta(description="Only this project; a token for one project sees only its own.")]
Run = Annotated[Text | None, Meta(description="Only this run, by its id.")]
Backend = Annotated[Text | None, Meta(description="Only this backend.")]
Rule = Annotated[Text | None, Meta(description="Only findings of this rule.")]
Severity = Annotated[Literal["critical", "warning", "info"] | None, Meta(description="Only this severity.")]
Since = Annotated[Time | None, Meta(description="First seen by the log at or after this time (RFC 3339).")]
Until = Annotated[Time | None, Meta(description="First seen by the log before this time (RFC 3339).")]
Limit = Annotated[int, Meta(ge=1, le=1000, description="The most items of one page.")]
Cursor = Annotated[
    Annotated[str, Meta(max_length=256)] | None, Meta(description="`next` of the page before; opaque. Newest first.")
]
_PLACE = re.compile(r"^(?P<why>.*?)(?: - at `\$\.(?P<name>\w+).*`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(.*)`", re.DOTALL)


class OneQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of one thing: its project, where two projects have the same id."""

    project: Project = None


class RunQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of runs."""

    project: Project = None
    status: Annotated[
        Literal["running", "silent", "completed", "failed", "cancelled"] | None, Meta(description="Only this status.")
    ] = None
    since: Since = None
    until: Until = None
    limit: Limit = 100
    cursor: Cursor = None


class JobQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of jobs."""

    project: Project = None
    run: Run = None
    backend: Backend = None
    status: Annotated[
        Literal["created", "queued", "running", "unknown", "cancelled", "failed", "completed"] | None,
        Meta(description="Only this status."),
    ] = None
    since: Since = None
    until: Until = None
    limit: Limit = 100
    cursor: Cursor = None


class FindingQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of findings."""

    project: Project = None
    run: Run = None
    backend: Backend = None
    rule: Rule = None
    severity: Severity = None
    status: Annotated[Literal["firing", "resolved", "notice"] | None, Meta(description="Only this status.")] = None
    open: Annotated[bool | None, Meta(description="Only those that are open, or only those that are not.")] = None
    since: Since = None
    until: Until = None
    limit: Limit = 100
    cursor: Cursor = None


class AlertQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of alerts."""

    project: Project = None
    run: Run = None
    backend: Backend = None
    rule: Rule = None
    severity: Severity = None
    status: Annotated[Literal["firing", "resolved", "notice"] | None, Meta(description="Only this status.")] = None
    limit: Limit = 100
    cursor: Cursor = None


class SeriesQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of series."""

    project: Project = None
    run: Run = None
    metric: Annotated[Text | None, Meta(description="Only this metric, by its name.")] = None
    since: Since = None
    until: Until = None
    limit: Limit = 100
    cursor: Cursor = None


class BackendQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Of backends."""

    project: Project = None
    since: Since = None
    until: Until = None
    limit: Limit = 100
    cursor: Cursor = None


Q = TypeVar("Q", bound=Struct)


def read_query(items: Sequence[tuple[str, str]], kind: type[Q]) -> Q:
    """Return the parameters.

    Raises:
        Problem: 400, naming the parameter in `parameter` and the mend in the text.

    """
    for name, times in Counter(name for name, _ in items).items():
        if times > 1:
            raise refuse(name, f"given {times} times; give it once")
    try:
        query = msgspec.convert(dict(items), kind, strict=False)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.search(str(error))
        if unknown is not None:
            name = unknown[1]
            raise refuse(name, f"no such parameter{suggest(name, list(kind.__struct_fields__))}") from error
        found = _PLACE.match(str(error))
        name = (found and found["name"]) or ""
        why = (found and found["why"]) or str(error)
        raise refuse(name, _mend(kind, name, why)) from error
    for name, text in items:
        if getattr(query, name) is None:  # the text "null" is no way of leaving a parameter out
            raise refuse(name, _mend(kind, name, f"invalid value {text!r}"))
    return query


def _mend(kind: type[Struct], name: str, why: str) -> str:
    """Return what msgspec says in a reader's words, with the values there are where only some are."""
    words = [
        str(word)
        for part in get_args(get_type_hints(kind).get(name))
        if get_origin(part) is Literal
        for word in get_args(part)
    ]
    known = f"; known are {', '.join(words)}" if words else ""
    said = why[:1].lower() + why[1:].replace(" | null`", "`").replace("enum value", "value")
    return said + known


def read_time(name: str, text: str | None) -> int | None:
    """Return the ns of a time parameter.

    Raises:
        Problem: 400, it is no RFC 3339 time.

    """
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise refuse(name, f"{error}; write it like 2026-11-21T16:00:00Z") from error


def refuse(name: str, why: str) -> Problem:
    """Return the problem of one parameter."""
    return Problem(400, f"{name[:80]}: {why}"[:500], members={"parameter": name[:80]})
