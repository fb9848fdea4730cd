import sys
from collections.abc import Callable, Iterator

import pytest
import qiskit.primitives
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
import qiskit_aer.primitives  # noqa: F401 - as above
from qiskit import QuantumCircuit

from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from quantum_mlops.events import Event
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder

Events = Callable[..., list[Event]]


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="p"))
    recorder.start()
    yield recorder
    recorder.close()


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
def events(recorder, tmp_path) -> Events:
    """What was recorded so far, of the types asked for (short names), in the order of time."""

    def read(*kinds: str) -> list[Event]:
        assert recorder.flush(10)
        names = {f"quantum_mlops.{kind}.v1" for kind in kinds}
        found = [event for event in read_folder(tmp_path / "spool") if not names or event.type in names]
        return sorted(found, key=lambda event: event.time)

    return read


@pytest.fixture
def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit
