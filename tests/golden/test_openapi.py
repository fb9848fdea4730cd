"""docs/openapi.json is what the service serves."""

import json
from pathlib import Path

from qml_daemon.assembly import Surroundings, assemble
from qml_daemon.configuration import read_config
from qml_daemon.query.openapi import document
from qml_daemon.web import all_routes

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_stored_document_is_current() -> None:
    assert json.loads(STORED.read_text()) == document(), "run: python tools/write_openapi.py"


def test_every_route_is_described_and_every_description_has_a_route(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[log]\nkind = "memory"\n[http]\nlisten = "off"\n[spool]\ndir = "spool"\n[state]\ndir = "state"\n')
    config = read_config(path, {})
    parts = assemble(config, Surroundings())
    try:
        served: dict[str, set[str]] = {}
        for route in all_routes(config, parts):
            if route.path.startswith("/api/"):
                methods = served.setdefault(route.path.replace(":path}", "}"), set())
                methods |= {method.lower() for method in route.methods - {"HEAD"}}
    finally:
        parts.close()
    assert served == {path: set(described) for path, described in document()["paths"].items()}
