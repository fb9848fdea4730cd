"""Print the lowest version of every requirement in pyproject.toml, as constraints for pip or uv."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
requirements = [
    *project["dependencies"],
    *(line for extra in project["optional-dependencies"].values() for line in extra),
]
for line in sorted(set(requirements)):
    found = re.match(r"([A-Za-z0-9-]+)>=([\d.]+)", line)
    if found:
        sys.stdout.write(f"{found[1]}=={found[2]}\n")
