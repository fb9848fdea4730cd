"""Devices of other providers: whose they are, one job for each call, and the provider's own id in it.

Braket's local simulator, and the plugins' real classes against services on 127.0.0.1.
"""

import sys

import braket.aws
import braket.devices.local_simulator  # noqa: F401 - as above
import numpy as np
import pennylane as qml
import pennylane_ionq.api_client
import pytest
from pennylane import numpy as pnp
from pennylane.devices import Device
from qiskit import QuantumCircuit
from qiskit.primitives import StatevectorSampler

from qml_producers.braket.instrumentation import BraketInstrumentation
from qml_producers.observing.nesting import INSIDE
from qml_producers.pennylane.nested import tell_outer
from qml_producers.pennylane.providers import target_of
from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from tests.providers.braket import GARNET, SV1, BraketCloud
from tests.providers.ionq import IonqCloud

# boto3 and Braket leave sockets and event loops to the garbage collector; the stand-in collects them when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

LOCAL = "braket.local.qubit"


@pytest.fixture
def everything(recorder, installed, instrumentation):
    """PennyLane's hooks in all modules, and those of Braket's own instrumentation."""
    inner = BraketInstrumentation()
    undos = [inner.install(recorder, sys.modules[name]) for name in inner.modules if name in sys.modules]
    undos += [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules[1:]]
    yield
    for undo in reversed(undos):
        undo()


@pytest.fixture
def braket_cloud(monkeypatch):
    with BraketCloud() as cloud:
        for name, value in cloud.environ().items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def ionq_cloud(monkeypatch):
    with IonqCloud() as cloud:
        monkeypatch.setattr(pennylane_ionq.api_client.APIClient, "BASE_URL", cloud.url)
        yield cloud


def bell(device, shots=None, measure=qml.counts):
    @qml.qnode(device)
    def circuit():
        qml.H(0)
        qml.CNOT([0, 1])
        return measure()

    return circuit if shots is None else qml.set_shots(circuit, shots)


def test_brakets_local_simulator_is_brakets_and_one_job(everything, events):
    counts = bell(qml.device(LOCAL, wires=2), 200)()
    assert sum(counts.values()) == 200
    (created,) = events("job.created")
    assert (created.data.provider, created.data.backend) == ("braket", "braket_sv")
    assert (created.data.shots_requested, created.data.executions) == (200, 1)
    assert len(events("job.completed")) == 1
    (measured,) = events("shots.measured")
    assert dict(zip(measured.data.outcomes.keys, measured.data.outcomes.counts, strict=True)) == {
        0: counts["00"],
        3: counts["11"],
    }


@pytest.mark.parametrize("options", [{}, {"parallel": True, "max_parallel": 2}])
def test_a_gradient_on_brakets_simulator_is_one_job_however_many_tasks_it_makes(everything, events, options):
    @qml.qnode(qml.device(LOCAL, wires=1, **options), diff_method="parameter-shift")
    def energy(x):
        qml.RX(x[0], wires=0)
        qml.RY(x[1], wires=0)
        return qml.expval(qml.Z(0))

    gradient = qml.grad(energy)(pnp.array([0.3, 0.4], requires_grad=True))
    assert gradient == pytest.approx([-np.sin(0.3) * np.cos(0.4), -np.cos(0.3) * np.sin(0.4)])
    assert [event.data.executions for event in events("job.created")] == [1, 4]
    assert len(events("job.completed")) == 2


def test_a_task_on_aws_is_one_job_with_its_arn(everything, events, braket_cloud):
    # With parameters of Braket's own the plugin makes a program set without observables, which the SDK cannot count.
    device = qml.device(
        "braket.aws.qubit", wires=2, device_arn=SV1, poll_interval_seconds=0.01, parametrize_differentiable=False
    )
    bell(device, 100, lambda: qml.expval(qml.Z(0)))()
    (created,) = events("job.created")
    assert (created.data.provider, created.data.backend) == ("braket", SV1)
    assert created.data.provider_job_id is None  # there is no task yet
    (queued,) = events("job.queued")  # so a task whose trainer dies can be followed
    (completed,) = events("job.completed")
    assert queued.data.job_id == created.data.job_id
    assert queued.data.provider_job_id == completed.data.provider_job_id
    assert completed.data.job_id == created.data.job_id
    assert completed.data.provider_job_id in braket_cloud.tasks


def test_ionqs_simulator_is_ionqs_and_one_job_with_its_id(everything, events, ionq_cloud):
    device = qml.device("ionq.simulator", wires=2, api_key=ionq_cloud.key)
    counts = bell(device, 100)()
    assert set(counts) <= {"00", "11"}
    (created,) = events("job.created")
    assert (created.data.provider, created.data.backend) == ("ionq", "simulator")
    assert (created.data.shots_requested, created.data.executions) == (100, 1)
    (completed,) = events("job.completed")
    (job_id,) = ionq_cloud.jobs
    assert completed.data.provider_job_id == job_id
    assert [event.data.provider_job_id for event in events("job.queued")] == [job_id]
    (measured,) = events("shots.measured")
    assert sum(measured.data.outcomes.counts) == 100


def test_a_job_that_ionq_fails_raises_the_plugins_error_and_is_told_as_failed(everything, events, ionq_cloud):
    ionq_cloud.statuses = ("failed",)
    device = qml.device("ionq.simulator", wires=2, api_key=ionq_cloud.key)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the plugin raises
        bell(device, 100)()
    (failed,) = events("job.failed")
    assert failed.data.failure.code == type(caught.value).__name__
    assert failed.data.provider_job_id == next(iter(ionq_cloud.jobs))


def test_several_jobs_of_one_call_are_one_job_that_bears_no_single_ones_id(installed, events):
    class Backend:
        name = "ibm_fez"

    class Splitting(Device):
        backend = Backend()

        def execute(self, circuits, execution_config=None):
            for number, _ in enumerate(circuits):
                tell_outer(INSIDE.get(), f"job-{number}")
                tell_outer(INSIDE.get(), f"job-{number}")
            return tuple(0.5 for _ in circuits)

    Splitting.__module__, Backend.__module__ = "pennylane_qiskit.qiskit_device", "qiskit_ibm_runtime.ibm_backend"
    tape = qml.tape.QuantumScript([qml.RX(0.1, 0)], [qml.expval(qml.Z(0))], shots=10)
    Splitting(wires=1).execute((tape,))
    Splitting(wires=1).execute((tape, tape))
    assert [event.data.executions for event in events("job.created")] == [1, 2]
    assert {(event.data.provider, event.data.backend) for event in events("job.created")} == {("ibm", "ibm_fez")}
    assert [event.data.provider_job_id for event in events("job.completed")] == ["job-0", None]


def test_what_a_task_costs_is_told_with_the_job_that_makes_it(everything, events, braket_cloud):
    device = qml.device(
        "braket.aws.qubit", wires=2, device_arn=GARNET, poll_interval_seconds=0.01, parametrize_differentiable=False
    )
    bell(device, 1000, lambda: qml.expval(qml.Z(0)))()
    (created,) = events("job.created")
    assert (created.data.cost.estimated.amount, created.data.cost.estimated.currency) == ("1.75", "USD")
    assert events("job.completed")[0].data.cost.final.amount == "1.75"


def test_a_device_of_the_qiskit_plugin_is_its_backends():
    class Backend:
        name = "ibm_fez"

    Backend.__module__ = "qiskit_ibm_runtime.ibm_backend"

    class Remote:
        name, backend = "qiskit.remote", Backend()

    Remote.__module__ = "pennylane_qiskit.qiskit_device"
    assert target_of(Remote()) == ("ibm", "ibm_fez")
    Backend.__module__, Backend.name = "qiskit_aer.backends", lambda self: "aer_simulator"
    assert target_of(Remote()) == ("qiskit_aer", "aer_simulator")


def test_qiskits_primitives_inside_a_device_are_part_of_its_job(recorder, installed, events):
    circuit = QuantumCircuit(1)
    circuit.x(0)
    circuit.measure_all()

    class OverQiskit(Device):
        def execute(self, circuits, execution_config=None):
            job = StatevectorSampler(seed=1).run([circuit], shots=10)  # runs in a thread of its own
            return tuple(job.result()[0].data.meas.get_counts() for _ in circuits)

    inner = QiskitInstrumentation()
    undos = [inner.install(recorder, sys.modules[name]) for name in inner.modules if name in sys.modules]
    tape = qml.tape.QuantumScript([qml.X(0)], [qml.counts(wires=0)], shots=10)
    (counts,) = OverQiskit(wires=1).execute((tape,))
    for undo in reversed(undos):
        undo()
    assert counts == {"1": 10}
    assert [event.data.backend for event in events("job.created")] == ["OverQiskit"]
    assert [event.data.outcomes.counts for event in events("shots.measured")] == [[10]]
