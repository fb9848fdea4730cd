"""Keys and texts of the file against the sections' types: every mistake with its path.

msgspec names one mistake, without a suggestion and with patterns nobody wants to read; this walk finds
all unknown keys and all malformed texts first. Types are then checked by msgspec.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

from quantum_mlops.config.duration import PATTERN as DURATION
from quantum_mlops.config.duration import parse_duration


def find_problems(value: object, kind: inspect.Type, path: str = "") -> Iterator[str]:  # noqa: C901 - one branch a kind of type
    """Yield one line for each unknown key, bad duration and bad name in `value`, with its path."""
    match kind:
        case inspect.Metadata(type=inner):
            yield from find_problems(value, inner, path)
        case inspect.StructType() if isinstance(value, dict):
            yield from _find_in_struct(value, kind, path)
        case inspect.DictType(value_type=inner) if isinstance(value, dict):
            for key, item in value.items():
                yield from find_problems(item, inner, join(path, key))
        case inspect.ListType(item_type=inner) if isinstance(value, list):
            for index, item in enumerate(value):
                yield from find_problems(item, inner, f"{path}[{index}]")
        case inspect.UnionType(types=types):
            for inner in types:
                yield from find_problems(value, inner, path)
        case inspect.LiteralType(values=values) if isinstance(value, str) and value not in values:
            yield f"{path}: {value[:80]!r} is none of {', '.join(map(str, values))}"
        case inspect.StrType() if isinstance(value, str) and "\0" in value:
            yield f"{path}: holds a NUL character"
        case inspect.StrType(pattern=str() as pattern) if isinstance(value, str):
            yield from _find_in_text(value, pattern, path)


def join(path: str, key: str) -> str:
    """Return the path of `key` under `path`, quoted where TOML would quote it."""
    bare = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{path}.{bare}" if path else bare


def suggest(word: str, known: Iterator[str] | list[str]) -> str:
    """Return `; did you mean X?` for the nearest known word, else the list of what there is."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(words)}" if words else ""


def field_types(kind: inspect.StructType) -> Mapping[str, inspect.Type]:
    """Return the types of a struct's fields by their names in the file."""
    return {field.encode_name: field.type for field in kind.fields}


def explain(error: msgspec.ValidationError) -> str:
    """Return msgspec's message with the path first and in the file's words."""
    text, _, place = str(error).rpartition(" - at `$.")
    if not text:
        return str(error)
    if text.startswith("Object missing required field"):
        return f"{place.rstrip('`')}: {text.split('`')[1]} is missing"
    reason = re.sub(r"`([^`]*)`", lambda found: _WORDS.get(found[1], found[1]), text)
    return f"{place.rstrip('`')}: {reason[:1].lower()}{reason[1:]}"


_WORDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"} | {
    "object": "a table",
    "array": "a list",
    "null": "nothing",
    "int | float": "a number",
    "float | null": "a number",
    "str | null": "text",
    "array | null": "a list",
    "object | null": "a table",
}


def _find_in_struct(value: dict[str, object], kind: inspect.StructType, path: str) -> Iterator[str]:
    known = field_types(kind)
    for key, item in value.items():
        if key in known:
            yield from find_problems(item, known[key], join(path, key))
        elif f"{key}_file" in known:
            yield (
                f"{join(path, key)}: a secret does not belong in this file; "
                f"write it to a file of its own and name that with {key}_file"
            )
        else:
            yield f"{join(path, key)}: unknown key{suggest(key, list(known))}"


def _find_in_text(value: str, pattern: str, path: str) -> Iterator[str]:
    if re.search(pattern, value) and value:
        return
    if pattern != DURATION:
        yield f"{path}: {value[:80]!r} is no name; use letters, digits and _, at most 64, not a digit first"
        return
    try:
        parse_duration(value)
    except ValueError as error:
        yield f"{path}: {error}"


def type_of(kind: Any) -> inspect.Type:
    """Return msgspec's description of a type."""
    return inspect.type_info(kind)
