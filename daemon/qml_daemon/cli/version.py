"""`quantum-mlops version`."""

import platform
import sqlite3

import typer

from qml_daemon.cli.options import JsonOption


def show_version(as_json: JsonOption = False) -> None:
    """Print the versions of quantum-mlops, Python and SQLite.

    \b
    Example:
      quantum-mlops version --json
    """
    from quantum_mlops.version import __version__

    versions = {"quantum-mlops": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    if as_json:
        import json

        print(json.dumps(versions))
    else:
        print("  ".join(f"{name} {version}" for name, version in versions.items()))


def tell(wanted: bool) -> None:
    """`--version`: print it and end."""
    if wanted:
        show_version()
        raise typer.Exit
