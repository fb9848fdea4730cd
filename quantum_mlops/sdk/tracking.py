"""The MLflow run that user code is in, and where it tracks, without importing MLflow.

Only what is there already is looked at: the environment, and the module where user code imported it.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

from quantum_mlops.config.address import strip_address

ADDRESS_TAG = "mlflow.tracking_uri"
_MAX_LABEL = 512


def find_mlflow_run(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the id of the caller's MLflow run: the active one of this thread, else `MLFLOW_RUN_ID`.

    Raises:
        Exception: whatever a foreign module raises.

    >>> find_mlflow_run({"MLFLOW_RUN_ID": "abc"})
    'abc'
    """
    active = _ask("active_run")
    found = getattr(getattr(active, "info", None), "run_id", None) or environ.get("MLFLOW_RUN_ID")
    return found[:_MAX_LABEL] if isinstance(found, str) and found else None


def find_tracking_address(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return where user code tracks, without credentials, or None where nothing says so.

    Raises:
        Exception: whatever a foreign module raises.

    >>> find_tracking_address({"MLFLOW_TRACKING_URI": "https://ann:secret@example.org/"})
    'https://example.org'
    """
    found = _ask("get_tracking_uri") or environ.get("MLFLOW_TRACKING_URI")
    return strip_address(found) or None if isinstance(found, str) else None


def _ask(function: str) -> Any:
    ask = getattr(sys.modules.get("mlflow"), function, None)
    return ask() if callable(ask) else None
