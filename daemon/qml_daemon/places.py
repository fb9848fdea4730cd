"""What lies where in the state folder."""

from pathlib import Path

from quantum_mlops.config.sections import Config

STORE = "store.sqlite"
OUTBOX = "outbox.sqlite"
STATUS = "status.json"


def store_path(config: Config) -> Path:
    """Return the file of the log."""
    return config.state_dir / STORE
