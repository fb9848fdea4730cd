"""The command `quantum-mlops`: the daemon's, where the daemon extra is installed.

The core does not import `qml_daemon`; it looks for it by name.
"""

import importlib.util
import sys
from importlib import import_module

_NEEDED = ("typer", "rich", "httpx", "numpy", "scipy")
_USERS_MISTAKE = 2


def main() -> int:
    """Run the command line; 2 and one line on stderr where the extra is missing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"quantum-mlops: the command needs an extra ({', '.join(missing)} not installed): "
            "pip install 'quantum-mlops[daemon]'\n"
        )
        return _USERS_MISTAKE
    return int(import_module("qml_daemon.cli").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
