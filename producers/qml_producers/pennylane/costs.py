"""What an execution on somebody's device costs, by the price books: PennyLane's call is the job that is paid for."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from qml_producers.pennylane.captures import Execution
from qml_producers.pennylane.circuits import TapeFacts
from qml_producers.prices import Use, cost_of, open_for_host
from quantum_mlops.events import Cost

_FREE = "pennylane"
_NO_GATES = ("measure", "reset", "barrier", "pennylane.basis")


def cost_in(execution: Execution, described: Sequence[TapeFacts | None], status: str) -> Cost | None:
    """Return what is known of the cost in `status`; None for PennyLane's own simulators, and where no book knows."""
    if execution.target.provider == _FREE or not execution.executions:
        return None
    shots = {sum(filter(None, captured.shots)) for captured in execution.tapes}
    gates = _gates(described)
    use = Use(
        provider=execution.target.provider,
        device=execution.target.backend,
        at=datetime.now(UTC),
        tasks=execution.tasks,
        executions=execution.executions,
        shots=shots.pop() if len(shots) == 1 else None,
        one_qubit_gates=gates[0],
        two_qubit_gates=gates[1],
    )
    return cost_of(open_for_host(os.environ), use, status)


def _gates(described: Sequence[TapeFacts | None]) -> tuple[int | None, int | None]:
    """Gates on one and on two qubits of all tapes; None where a tape is unknown."""
    singles = pairs = 0
    for facts in described:
        if facts is None:
            return None, None
        counts = facts.circuit.gate_counts
        pairs += facts.circuit.two_qubit_gates or 0
        singles += sum(counts.values()) - sum(counts.get(name, 0) for name in _NO_GATES)
    return singles - pairs, pairs
