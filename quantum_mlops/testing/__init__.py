"""Test monitored code without hardware: recorded calibrations and a device that replays them.

Importing this package loads no quantum SDK; the first use of a name loads what that name needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .recorded_device import RecordedDevice
    from .snapshot import Snapshot, available_snapshots

__all__ = ["RecordedDevice", "Snapshot", "available_snapshots"]

_MODULES = {"RecordedDevice": "recorded_device", "Snapshot": "snapshot", "available_snapshots": "snapshot"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"qiskit", "qiskit_aer", "numpy"}:
            raise
        raise ImportError(
            f"{name} needs {error.name}, which is not installed; pip install 'quantum-mlops[aer]'",
            name=error.name,
        ) from error


def __dir__() -> list[str]:
    return sorted(__all__)
