"""docs/openapi.json is what the service serves."""

import json
from pathlib import Path

from qml_daemon.query.openapi import document
from qml_daemon.query.routes import routes

STORED = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_stored_document_is_current() -> None:
    assert json.loads(STORED.read_text()) == document(), "run: python tools/write_openapi.py"


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    served = {route.path.replace(":path}", "}") for route in routes(None)}
    assert served | {"/api/v1/stream"} == set(document()["paths"])
