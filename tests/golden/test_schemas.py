"""The schemas in docs are those of the code; a change of the contract shows up as a diff there."""

import json
from pathlib import Path

import pytest

from quantum_mlops.events import SHORT_NAMES
from quantum_mlops.schemas import schema_of

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_the_schema_in_docs_is_that_of_the_code(short):
    stored = json.loads((FOLDER / f"{short}.v1.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(schema_of(short))), "run `make schemas` and read the difference"


def test_there_is_no_schema_of_a_type_that_is_gone():
    assert {path.name for path in FOLDER.glob("*.json")} == {f"{short}.v1.json" for short in SHORT_NAMES}
