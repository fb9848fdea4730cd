"""The environment overlay: `QML_ROUTE__GROUP_WAIT=0s` stands over `[route] group_wait` of the file.

The type of the key decides how the text is read: numbers and true or false as such, lists and tables
as TOML, texts as they are.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from quantum_mlops.config.keys import field_types, suggest

PREFIX = "QML_"
_SCALARS: dict[type[inspect.Type], tuple[type, str]] = {
    inspect.IntType: (int, "a whole number"),
    inspect.FloatType: (float, "a number"),
    inspect.BoolType: (bool, "true or false"),
}


def apply_overlay(
    tree: dict[str, Any], environ: Mapping[str, str], kind: inspect.StructType, receivers: Mapping[str, inspect.Type]
) -> list[str]:
    """Set the values of all `QML_SECTION__KEY` variables in `tree`; return what was wrong with them.

    `receivers` are the settings' types by kind of receiver.
    """
    problems = []
    for name in sorted(environ):
        parts = name.removeprefix(PREFIX).split("__")
        if not name.startswith(PREFIX) or len(parts) == 1:
            continue
        try:
            _set(tree, parts, environ[name], kind, receivers)
        except ValueError as error:
            problems.append(f"environment variable {name}: {error}")
    return problems


def _set(
    tree: dict[str, Any],
    parts: list[str],
    text: str,
    kind: inspect.StructType,
    receivers: Mapping[str, inspect.Type],
) -> None:
    table: dict[str, Any] = tree
    here: inspect.Type = kind
    for depth, part in enumerate(parts):
        key, here = _step(table, part, here, receivers if parts[0].lower() == "receivers" and depth == 2 else None)  # noqa: PLR2004 - receivers.NAME.KIND
        if depth == len(parts) - 1:
            table[key] = _read(text, here)
            return
        if not isinstance(_plain(here), (inspect.StructType, inspect.DictType)) or not isinstance(
            table.get(key, {}), dict
        ):
            raise ValueError(f"{'.'.join(parts[: depth + 1]).lower()} is no table; set it whole")  # noqa: TRY004 - one kind of error
        table = table.setdefault(key, {})


def _step(
    table: Mapping[str, Any], part: str, kind: inspect.Type, receivers: Mapping[str, inspect.Type] | None
) -> tuple[str, inspect.Type]:
    """Return the key that `part` means, and its type."""
    match _plain(kind):
        case inspect.StructType() as struct:
            known: Mapping[str, inspect.Type] = field_types(struct)
        case inspect.DictType(value_type=inner):
            if receivers is None:
                key = next((name for name in table if name.lower() == part.lower()), part.lower())
                return key, inner
            known = receivers
        case _:
            raise ValueError(f"{part.lower()} is inside a value that is no table; set that whole")
    key = part.lower()
    if key not in known:
        if f"{key}_file" in known:
            raise ValueError(f"a secret does not belong here; write it to a file and name that with {part}_FILE")
        raise ValueError(f"unknown key {key}{suggest(key, list(known))}")
    return key, known[key]


def _read(text: str, kind: inspect.Type) -> Any:
    types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    for one in map(_bare, types):
        if isinstance(one, (inspect.ListType, inspect.DictType, inspect.StructType)):
            return _read_toml(text)
        if isinstance(one, (inspect.IntType, inspect.FloatType, inspect.BoolType)):
            wanted, words = _SCALARS[type(one)]
            try:
                return msgspec.convert(text.strip().lower(), wanted, strict=False)
            except msgspec.ValidationError:
                raise ValueError(f"expected {words}, not {text[:80]!r}") from None
    return text


def _read_toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        raise ValueError('is a list or a table; write it as TOML, such as ["rule", "backend"]') from None


def _plain(kind: inspect.Type) -> inspect.Type:
    """Return the one type in an optional one."""
    if isinstance(kind, inspect.UnionType):
        rest = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return _bare(rest[0]) if len(rest) == 1 else kind
    return _bare(kind)


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind
