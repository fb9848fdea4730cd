import sys
from collections.abc import Iterator

import pytest
import qiskit.primitives
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
import qiskit_aer.primitives  # noqa: F401 - as above
from qiskit import QuantumCircuit

from qml_producers.qiskit.instrumentation import QiskitInstrumentation


@pytest.fixture
def instrumentation() -> QiskitInstrumentation:
    return QiskitInstrumentation()


@pytest.fixture
def installed(recorder, instrumentation) -> Iterator[QiskitInstrumentation]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    yield instrumentation
    for undo in undos:
        undo()
    assert recorder.stats().reasons == {}


@pytest.fixture
def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit
