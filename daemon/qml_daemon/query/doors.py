"""The operations of the API that are no list: events in, silences, status; for the OpenAPI document."""

from typing import Any

from msgspec import Struct

from qml_daemon.ingest.batch import BATCH_CONTENT_TYPE, MAX_EVENTS
from qml_daemon.ingest.door import Receipt
from qml_daemon.page.routes import ShownStatus
from qml_daemon.silences.routes import NewSilence, ShownSilence, SilenceList
from quantum_mlops.codec import CONTENT_TYPE
from quantum_mlops.schemas import envelope_schema

_REF = "#/components/schemas/{name}"
_SHOWN_TO_ALL = ["version", "state", "started", "written"]


STRUCTS: tuple[type[Struct], ...] = (Receipt, NewSilence, ShownSilence, SilenceList, ShownStatus)
"""What bodies are made of."""
WHY = {
    "201": "The silence is in force, or waits for its time.",
    "202": "What was accepted is stored; the rest is named with the reasons.",
    "408": "The body came too slowly.",
    "413": "The body, or the list in it, is too large.",
    "415": "Another content type or encoding is needed.",
    "422": "Nothing was taken; `detail` says why.",
    "429": "The token may not send so much; `Retry-After` says when it may.",
}
"""What codes mean here, besides those that the lists give."""


def adapt(schemas: dict[str, Any]) -> None:
    """Put into the schemas of the structs what their types do not say."""
    schemas["Event"] = envelope_schema()
    schemas["ShownStatus"]["required"] = _SHOWN_TO_ALL


def paths(refusals: Any) -> dict[str, Any]:
    """Return the operations by their paths; `refusals` makes the responses of some codes."""
    event, batch = _ref("Event"), {"type": "array", "items": {}}
    events = {
        "operationId": "send_events",
        "summary": "Events into the log: one, or a list of them; the body may be gzip",
        "requestBody": {
            "required": True,
            "content": {
                CONTENT_TYPE: {"schema": event},
                BATCH_CONTENT_TYPE: {
                    "schema": {**batch, "description": f"At most {MAX_EVENTS} `Event`s; each is judged by itself."}
                },
            },
        },
        "responses": {
            "202": _answer("Receipt", WHY["202"]),
            **refusals("400", "401", "403", "408", "413", "415", "422", "429", "503"),
        },
    }
    silences = {
        "operationId": "list_silences",
        "summary": "Silences",
        "responses": {"200": _answer("SilenceList", "Found."), **refusals("401", "403")},
    }
    create = {
        "operationId": "create_silence",
        "summary": "Make alerts quiet for a while; needs the scope `admin`",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("NewSilence")}}},
        "responses": {
            "201": _answer("ShownSilence", WHY["201"]),
            **refusals("401", "403", "409", "413", "422", "503"),
        },
    }
    expire = {
        "operationId": "expire_silence",
        "summary": "End a silence now; needs the scope `admin`",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
        "responses": {"200": _answer("ShownSilence", "It has ended."), **refusals("401", "403", "404", "409", "503")},
    }
    status = {
        "operationId": "show_status",
        "summary": "What the daemon last wrote of itself, its exporters and its follower",
        "responses": {"200": _answer("ShownStatus", "Found."), **refusals("401", "403", "503")},
    }
    return {
        "/api/v1/events": {"post": events},
        "/api/v1/silences": {"get": silences, "post": create},
        "/api/v1/silences/{id}": {"delete": expire},
        "/api/v1/status": {"get": status},
    }


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _answer(name: str, why: str) -> dict[str, Any]:
    return {"description": why, "content": {"application/json": {"schema": _ref(name)}}}
