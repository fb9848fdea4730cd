"""quantum-mlops watches quantum-ML training and serving jobs.

import quantum_mlops
quantum_mlops.autolog(project="iris")
with quantum_mlops.run("vqc-1"):
    ...                                             # plain Qiskit
    quantum_mlops.log_metrics({"loss": 0.3}, step=1)
"""

import sys
from types import ModuleType

from quantum_mlops.sdk import default as _default
from quantum_mlops.sdk.default import (
    autolog,
    canary,
    current_run,
    current_step,
    emit,
    flush,
    log_metrics,
    run,
    stats,
    step,
    wrap,
)
from quantum_mlops.sdk.run import Run
from quantum_mlops.sdk.stats import Stats
from quantum_mlops.sdk.step import Step
from quantum_mlops.version import __version__

__all__ = [
    "Run",
    "Step",
    "__version__",
    "autolog",
    "canary",
    "current_run",
    "current_step",
    "emit",
    "flush",
    "log_metrics",
    "run",
    "stats",
    "step",
    "wrap",
]


class _Callable(ModuleType):
    """`quantum_mlops.stats` once its mathematics is imported: still the function, too."""

    def __call__(self) -> Stats:
        return _default.stats()


class _Face(ModuleType):
    """This package. Importing a submodule sets it as an attribute, which would hide the function `stats`."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "stats" and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Face
