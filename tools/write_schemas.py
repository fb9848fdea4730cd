"""Write the JSON Schema of every event type to docs/schemas; tests compare them with the code."""

import json
from pathlib import Path

from quantum_mlops.events import SHORT_NAMES
from quantum_mlops.schemas import schema_of

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


def main() -> None:
    """Write one file a type."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for short in SHORT_NAMES:
        text = json.dumps(schema_of(short), indent=2, sort_keys=True)
        (FOLDER / f"{short}.v1.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
