"""BackendSamplerV2 over IonQ: that it is wrong, and that it is said."""

import sys

import pytest
import qiskit.primitives
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
import qiskit_aer.primitives  # noqa: F401 - as above
from qiskit import QuantumCircuit
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.quantum_info import SparsePauliOp

from qml_producers.ionq.wrong_bits import WARNING
from qml_producers.qiskit.instrumentation import QiskitInstrumentation


@pytest.fixture
def watched_qiskit(recorder):
    instrumentation = QiskitInstrumentation()
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    yield
    for undo in undos:
        undo()


def _sampled(backend, circuits):
    result = BackendSamplerV2(backend=backend).run(circuits, shots=50).result()
    return [pub.data.c.get_counts() for pub in result]


def test_the_sampler_reads_ionqs_answers_wrongly(simulator, qpu, ones):
    """When this fails the SDKs have mended it: then restrict the warning to the versions before."""
    assert simulator.run(ones, shots=50).result().get_counts() == {"11": 50}
    assert _sampled(simulator, [ones]) == [{"00": 50}]
    assert _sampled(qpu, [ones, ones]) == [{"01": 50}, {"01": 50}]


@pytest.mark.usefixtures("installed", "watched_qiskit")
@pytest.mark.parametrize("name", ["simulator", "qpu.forte-1"])
def test_the_samplers_job_says_so(backend, name, ones, events):
    ionq = backend(name)
    job = BackendSamplerV2(backend=ionq).run([ones], shots=50)
    job.result()

    told = [event.data for event in events("job.running")]
    assert [(each.job_id, each.backend, each.warnings) for each in told] == [(job.job_id(), ionq.name, [WARNING])]
    created = [event.data for event in events("job.created")]
    assert [each.job_id for each in created] == [job.job_id()]  # counted once, at the outermost call
    assert [event.data.job_id for event in events("job.completed")] == [job.job_id()]


@pytest.mark.usefixtures("installed")
def test_without_hooks_on_qiskit_ionqs_own_job_says_so(cloud, simulator, ones, events):
    _sampled(simulator, [ones])

    (created,) = [event.data for event in events("job.created")]
    assert created.job_id in cloud.jobs
    assert created.warnings == [WARNING]


@pytest.mark.usefixtures("installed", "watched_qiskit")
def test_what_gives_right_bits_is_not_warned_of(simulator, qpu, ones, events):
    single = QuantumCircuit(1, 1)
    single.x(0)
    single.measure(0, 0)
    bare = QuantumCircuit(2)
    bare.x(0)

    simulator.run(ones).result()
    BackendEstimatorV2(backend=simulator).run([(bare, SparsePauliOp("ZZ"))]).result()
    assert _sampled(qpu, [single, single]) == [{"1": 50}, {"1": 50}]

    assert [event.data.warnings for event in events("job.created", "job.running") if event.data.warnings] == []
