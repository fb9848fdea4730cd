"""JSON Schemas of the events, made from the structs themselves.

Source: JSON Schema 2020-12; CloudEvents 1.0.2 JSON format.
"""

from inspect import cleandoc
from typing import Any

import msgspec

from quantum_mlops.events import DATA_TYPES, type_name

_TEXT = {"type": "string", "maxLength": 512}
_REQUIRED_TEXT = {**_TEXT, "minLength": 1}
_TIME = {"type": "string", "format": "date-time"}
_OPTIONAL = ("subject", "runid", "experimentid", "variant", "blockid", "mlflowrunid", "traceparent")


def schema_of(short: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one event type as CloudEvents JSON.

    Raises:
        KeyError: no such type.

    >>> schema_of("tick")["properties"]["type"]
    {'const': 'quantum_mlops.tick.v1'}

    """
    event_type = type_name(short)
    (data,), components = msgspec.json.schema_components([DATA_TYPES[event_type]], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event_type,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": _attributes({"const": event_type}, data),
        "$defs": _clean(components),
    }


def envelope_schema() -> dict[str, Any]:
    """Return the JSON Schema of any event as it is taken; what `data` holds is the schema of its type.

    An attribute that is null counts as absent.

    >>> envelope_schema()["required"]
    ['specversion', 'id', 'source', 'type']
    """
    properties = _attributes(_REQUIRED_TEXT, {})
    properties["datacontenttype"] = {"type": "string"}
    for name in ("time", "datacontenttype", "partitionkey", "step", "ingestedtime", *_OPTIONAL):
        properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    return {
        "title": "Event",
        "description": "A CloudEvents 1.0 event; of each type there is a schema of its own in docs/schemas.",
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": properties,
    }


def _attributes(event_type: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": _REQUIRED_TEXT,
        "source": _REQUIRED_TEXT,
        "type": event_type,
        "time": _TIME,
        "datacontenttype": {"const": "application/json"},
        "partitionkey": _TEXT,
        "project": _TEXT,
        "step": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
        "ingestedtime": _TIME,
        "data": data,
    }
    properties.update(dict.fromkeys(_OPTIONAL, _TEXT))
    return properties


def _clean(node: Any) -> Any:
    """Strip the indentation of docstrings, which Python keeps before 3.13."""
    if isinstance(node, dict):
        return {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else _clean(value)
            for key, value in node.items()
        }
    return [_clean(item) for item in node] if isinstance(node, list) else node
