"""quantum-mlops watches quantum-ML training and serving jobs.

import quantum_mlops
quantum_mlops.autolog(project="iris")
with quantum_mlops.run("vqc-1"):
    ...                                             # plain Qiskit
    quantum_mlops.log_metrics({"loss": 0.3}, step=1)
"""

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
    wrap,
)
from quantum_mlops.sdk.run import Run
from quantum_mlops.version import __version__

__all__ = [
    "Run",
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
    "wrap",
]
