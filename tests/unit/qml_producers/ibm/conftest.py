import os
import sys
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import qiskit.primitives
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
import qiskit_aer.primitives  # noqa: F401 - as above
import qiskit_ibm_runtime.executor_estimator
import qiskit_ibm_runtime.executor_sampler  # noqa: F401 - as above
from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp
from qiskit.transpiler import generate_preset_pass_manager

from qml_producers.ibm.instrumentation import IbmInstrumentation
from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from tests.providers.ibm import IbmCloud, JobScript


@pytest.fixture(scope="session")
def connected():
    """One cloud, one service of the SDK's and one backend object, whose calibration was read, for all tests."""
    with IbmCloud() as cloud:
        with mock.patch.dict(os.environ, cloud.environ):
            service = cloud.service()
            backend = service.backend("ibm_hanoi")
            assert backend.target
        yield cloud, service, backend


@pytest.fixture(autouse=True)
def _environment(connected, monkeypatch):
    """In force during these tests only: the process goes on with those of other folders."""
    for name, value in connected[0].environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cloud(connected) -> IbmCloud:
    cloud = connected[0]
    cloud.requests.clear()
    cloud.faults.clear()
    cloud.default_script = JobScript()
    cloud._scripts.clear()
    cloud.devices["ibm_hanoi"].in_force = 1
    return cloud


@pytest.fixture
def service(connected, cloud):
    return connected[1]


@pytest.fixture(scope="session")
def backend(connected):
    return connected[2]


@pytest.fixture(scope="session")
def written() -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


@pytest.fixture(scope="session")
def bell(backend, written) -> QuantumCircuit:
    return isa(backend, written.measure_all(inplace=False))


@pytest.fixture(scope="session")
def estimate(backend, written):
    circuit = isa(backend, written)
    return circuit, SparsePauliOp(["ZZ", "XX"], [1.0, 0.5]).apply_layout(circuit.layout)


def isa(backend, circuit) -> QuantumCircuit:
    passes = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1, initial_layout=[0, 1])
    return passes.run(circuit)


@pytest.fixture
def watching(recorder):
    """Install the hooks, Qiskit's too, as autolog does; what it returns undoes them."""
    undos: list[Callable[[], None]] = []

    def undo() -> None:
        while undos:
            undos.pop()()

    def install() -> Callable[[], None]:
        for instrumentation in (QiskitInstrumentation(), IbmInstrumentation()):
            undos.extend(instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules)
        return undo

    yield install
    undo()


@pytest.fixture
def installed(recorder, watching) -> Iterator[None]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    watching()
    yield
    assert recorder.stats().reasons == {}


@pytest.fixture
def kinds(events):
    """The short names of what was recorded of jobs and shots, sorted."""

    def read() -> list[str]:
        names = (event.type.split(".", 1)[1].removesuffix(".v1") for event in events())
        return sorted(name for name in names if name.startswith(("job.", "shots.")))

    return read
