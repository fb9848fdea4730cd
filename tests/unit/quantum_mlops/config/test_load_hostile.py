"""Whatever stands in the file or the environment: a configuration, or lines that say what is wrong."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from quantum_mlops.config.load import load_config
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError


class SlackSettings(Struct, kw_only=True):
    url_file: str


class LogSettings(Struct):
    pass


KINDS: dict[str, type[Struct]] = {"slack": SlackSettings, "log": LogSettings}
KEYS = st.sampled_from(
    [
        "receivers", "route", "rules", "log", "state", "spool", "team", "slack", "url_file", "url", "receiver", "routes",
        "matchers", "group_by", "group_wait", "continue", "threshold", "drift", "name", "metric", "above", "below", "for",
        "minimum_effect", "false_alarms", "kind", "retention", "max_bytes", "dir", "plugins", "summaries", "", "a b", "ü",
    ]
)  # fmt: skip
SCALARS = (
    st.text(st.characters(codec="utf-8"), max_size=8)
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.sampled_from(["team", "30s", "sqlite", "memory", "severity=x", "a=~(", "2020-01-01"])
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float) and not json.dumps(value)[-1].isdigit():
        return {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}[json.dumps(value)]
    return json.dumps(value).replace("\x7f", "\\u007f") if isinstance(value, str) else json.dumps(value)


def load(text: str, environ: dict[str, str]) -> Config | str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "c.toml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_config(path, environ, KINDS)
        except ConfigError as error:
            return str(error)


@given(st.dictionaries(KEYS, TREES, max_size=4))
def test_any_file_loads_or_is_refused_with_lines(tree: dict[str, Any]) -> None:
    text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in tree.items())
    found = load(text, {})
    assert isinstance(found, Config) or found.strip()


@given(
    st.dictionaries(
        st.lists(KEYS.map(str.upper) | st.just("0"), min_size=1, max_size=5).map(
            lambda parts: "QML_" + "__".join(parts)
        ),
        st.text(max_size=12) | TREES.map(toml),
        max_size=3,
    )
)
def test_any_environment_loads_or_is_refused_with_lines(environ: dict[str, str]) -> None:
    found = load('[receivers.team]\nlog = {}\n[route]\nreceiver = "team"\n', environ)
    assert isinstance(found, Config) or found.strip()


@pytest.mark.parametrize(
    "text",
    [
        'state.dir = "a\\u0000b"',
        "a = " + "[" * 5000,
        "a = " + "[" * 5000 + "]" * 5000,
        "\x00",
        "a." * 3000 + "b = 1",
        "a = 1\na = 2",
    ],
)
def test_hostile_texts_are_refused(text: str) -> None:
    assert isinstance(load(text, {}), str)


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b"#" * 1024 * 1024 + b"#")
    with pytest.raises(ConfigError, match="over 1 MiB"):
        load_config(path, {}, KINDS)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 5"):
        load_config(path, {}, KINDS)
