"""Credentials of exporters: from the environment or from files that it names, never from the command line."""

import os
from collections.abc import MutableMapping
from pathlib import Path

from quantum_mlops.errors import ConfigError

NAMES = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
MAX_BYTES = 4096


def read_credential_files(environ: MutableMapping[str, str]) -> None:
    """Put what `<NAME>_FILE` names into `<NAME>`, for MLflow to find; what is set directly wins.

    Raises:
        ConfigError: a file cannot be read, or holds no text.

    """
    for name in NAMES:
        place = environ.get(f"{name}_FILE")
        if not place or environ.get(name):
            continue
        try:
            with Path(place).open("rb") as file:
                text = file.read(MAX_BYTES + 1).decode().strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE: {place}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name}_FILE: {place}: not UTF-8") from error
        if not text or len(text) > MAX_BYTES:
            raise ConfigError(f"{name}_FILE: {place}: is empty, or over {MAX_BYTES} bytes")
        environ[name] = text


def forget_surroundings(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take out of the environment what would make MLflow write elsewhere than it is told to."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME",
                 "MLFLOW_ACTIVE_MODEL_ID", "_MLFLOW_ACTIVE_MODEL_ID"):  # fmt: skip
        environ.pop(name, None)
