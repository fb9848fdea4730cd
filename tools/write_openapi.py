"""Write docs/openapi.json from the service's own definitions. Run after changing what can be asked or is answered."""

import json
from pathlib import Path

from qml_daemon.query.openapi import document

TARGET = Path(__file__).parent.parent / "docs" / "openapi.json"


def main() -> None:
    """Write the document."""
    TARGET.write_text(json.dumps(document(), indent=2) + "\n", encoding="utf-8")
    print(f"{len(document()['paths'])} paths in {TARGET}")


if __name__ == "__main__":
    main()
