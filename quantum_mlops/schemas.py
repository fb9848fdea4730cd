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
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": _REQUIRED_TEXT,
        "source": _REQUIRED_TEXT,
        "type": {"const": event_type},
        "time": _TIME,
        "datacontenttype": {"const": "application/json"},
        "partitionkey": _TEXT,
        "project": _TEXT,
        "step": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
        "ingestedtime": _TIME,
        "data": data,
    }
    properties.update(dict.fromkeys(_OPTIONAL, _TEXT))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event_type,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": properties,
        "$defs": _clean(components),
    }


def _clean(node: Any) -> Any:
    """Strip the indentation of docstrings, which Python keeps before 3.13."""
    if isinstance(node, dict):
        return {
            key: cleandoc(value) if key == "description" and isinstance(value, str) else _clean(value)
            for key, value in node.items()
        }
    return [_clean(item) for item in node] if isinstance(node, list) else node
