"""The OpenAPI 3.1 document of `/api/v1`, from the structs that read what is asked and make the answers."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from qml_daemon.query import doors, parameters, resources
from qml_daemon.query.lists import LISTINGS
from quantum_mlops.version import __version__

_REF = "#/components/schemas/{name}"
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_WHY = {
    "400": "A parameter is wrong; `parameter` names it.",
    "401": "A token is needed, or it is not known.",
    "403": "The token lacks the scope, or is of another project.",
    "404": "There is no such thing, or it is of another project.",
    "409": "Two projects have this id; add `project`.",
    "503": "It cannot be done now; try again.",
    **doors.WHY,
}
_HEADING = {
    "runs": "Runs",
    "jobs": "Jobs",
    "findings": "Findings",
    "series": "Series of metrics",
    "backends": "Backends",
    "alerts": "Alerts",
}


class Problem(Struct, kw_only=True, omit_defaults=True):
    """RFC 9457: what was wrong and what mends it."""

    type: str
    title: str
    status: int
    detail: str
    parameter: str | None = None


@cache
def document() -> dict[str, Any]:
    """Return the document; the same object every time, not to be changed."""
    things = [(listing.name, listing.query, listing.item) for listing in LISTINGS]
    things.append(("alerts", parameters.AlertQuery, resources.Alert))
    items = [item for _, _, item in things]
    _, schemas = msgspec.json.schema_components([*items, Problem, *doors.STRUCTS], ref_template=_REF)
    doors.adapt(schemas)
    paths: dict[str, Any] = {}
    for name, query, item in things:
        schemas[f"{item.__name__}Page"] = _page(item)
        paths[f"/api/v1/{name}"] = {"get": _list(name, query, item)}
        paths[f"/api/v1/{name}/{{id}}"] = {"get": _one(name, item)}
    paths["/api/v1/openapi.json"] = {"get": _plain("describe", "This document", "application/json")}
    stream = _plain("stream", "What is new, as server-sent events", "text/event-stream")
    stream["parameters"] = _parameters(parameters.OneQuery)
    paths["/api/v1/stream"] = {"get": stream}
    paths |= doors.paths(lambda *codes: {code: _refusal(code) for code in codes})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "quantum-mlops",
            "version": __version__,
            "description": (
                "Events in; what is watched: runs, jobs, findings, alerts, series, backends, newest first, in pages;"
                " silences."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _list(name: str, query: type[Struct], item: type[Struct]) -> dict[str, Any]:
    return {
        "operationId": f"list_{name}",
        "summary": f"{_HEADING[name]}, the newest first",
        "parameters": _parameters(query),
        "responses": _responses(f"{item.__name__}Page", ("400", "401", "403", "503")),
    }


def _one(name: str, item: type[Struct]) -> dict[str, Any]:
    place = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "operationId": f"get_{name}",
        "summary": f"{_HEADING[name]}: one",
        "parameters": [place, *_parameters(parameters.OneQuery)],
        "responses": _responses(item.__name__, ("400", "401", "403", "404", "409", "503")),
    }


def _plain(name: str, summary: str, media: str) -> dict[str, Any]:
    refused = {code: _refusal(code) for code in ("400", "401", "403")}
    answered = {"description": summary, "content": {media: {"schema": {}}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answered, **refused}}


def _parameters(query: type[Struct]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    found = []
    for name, schema in components[query.__name__]["properties"].items():
        plain = _without_null(schema)
        parameter = {"name": name, "in": "query", "required": False, "schema": plain}
        if "description" in plain:
            parameter["description"] = plain.pop("description")
        found.append(parameter)
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value that is left out where there is none."""
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "default"}}
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    for one in schema.get("anyOf", ()):
        if one != {"type": "null"}:
            kept |= one
    if schema.get("default") is not None:
        kept["default"] = schema["default"]
    return kept


def _page(item: type[Struct]) -> dict[str, Any]:
    return {
        "title": f"{item.__name__}Page",
        "description": "`next` is the cursor of the page after it, null on the last one.",
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": _REF.format(name=item.__name__)}},
            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["items", "next"],
    }


def _responses(name: str, refusals: tuple[str, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REF.format(name=name)}}}
    return {"200": {"description": "Found.", "content": content}, **{code: _refusal(code) for code in refusals}}


def _refusal(code: str) -> dict[str, Any]:
    return {"description": _WHY[code], "content": {"application/problem+json": {"schema": _PROBLEM}}}
