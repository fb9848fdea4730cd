"""The truth about the demo's device, computed exactly: how far the change moves the canary.

Only the demo's last words use it, to say whether an alert was due. Nothing of it reaches the daemon.
"""

import math

from qiskit.transpiler import generate_preset_pass_manager

from qml_daemon.demo.train import build_canary
from quantum_mlops.testing import RecordedDevice


def exact_effect(backend: str, qubits: str, before: str, after: str) -> float:
    """Return the Hellinger distance between the canary's exact distributions under two calibrations."""
    layout = [int(qubit) for qubit in qubits.split("-")]
    distributions = []
    for date in (before, after):
        device = RecordedDevice.load(backend, date)
        transpiler = generate_preset_pass_manager(
            optimization_level=1, backend=device, initial_layout=layout, seed_transpiler=1
        )
        distributions.append(device.probabilities(build_canary(transpiler)))
    overlap = sum(math.sqrt(p * q) for p, q in zip(*distributions, strict=True))
    return math.sqrt(max(0.0, 1.0 - overlap))
