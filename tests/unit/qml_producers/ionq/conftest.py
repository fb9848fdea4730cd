import warnings
from collections.abc import Callable, Iterator

import pytest
import qiskit_ionq
from qiskit import QuantumCircuit
from qiskit_ionq import IonQProvider
from qiskit_ionq.exceptions import IonQTranspileLevelWarning
from qiskit_ionq.ionq_backend import IonQBackend

from qml_producers.ionq.instrumentation import IonqInstrumentation
from tests.providers.ionq import IonqCloud


@pytest.fixture
def cloud(monkeypatch, tmp_path) -> Iterator[IonqCloud]:
    with IonqCloud() as cloud:
        monkeypatch.setenv("IONQ_API_URL", cloud.url)
        monkeypatch.setenv("IONQ_API_KEY", cloud.key)
        monkeypatch.chdir(tmp_path)  # the SDK reads a .env of the folder
        yield cloud


@pytest.fixture
def backend(cloud) -> Callable[[str], IonQBackend]:
    """Return the user's backend by its name."""

    def get(name: str) -> IonQBackend:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IonQTranspileLevelWarning)  # advice on the user's transpiler
            return IonQProvider(url=cloud.url).get_backend(name)

    return get


@pytest.fixture
def simulator(backend) -> IonQBackend:
    return backend("simulator")


@pytest.fixture
def qpu(backend) -> IonQBackend:
    return backend("qpu.forte-1")


@pytest.fixture
def instrumentation() -> IonqInstrumentation:
    return IonqInstrumentation()


@pytest.fixture
def installed(recorder, instrumentation) -> Iterator[IonqInstrumentation]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    undo = instrumentation.install(recorder, qiskit_ionq)
    yield instrumentation
    undo()
    assert recorder.stats().reasons == {}


@pytest.fixture
def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(3, name="ghz")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


@pytest.fixture
def ones() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2, name="ones")
    circuit.x([0, 1])
    circuit.measure([0, 1], [0, 1])
    return circuit
