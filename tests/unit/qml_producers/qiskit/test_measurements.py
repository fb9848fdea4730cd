import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, ParameterVector
from qiskit.primitives import (
    BackendEstimatorV2,
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveJob,
    PrimitiveResult,
    SamplerPubResult,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import EstimatorV2, SamplerV2

from qml_producers.qiskit import measurements
from quantum_mlops.circuits import parameters_digest


@pytest.fixture
def rotation():
    circuit = QuantumCircuit(2, name="rotation")
    for qubit, angle in enumerate(ParameterVector("θ", 2)):
        circuit.ry(angle, qubit)
    circuit.measure_all()
    return circuit


def test_a_sweep_is_one_event_for_each_element_with_its_own_digest(installed, events, rotation):
    values = np.arange(12, dtype=float).reshape(2, 3, 2) / 10
    result = SamplerV2(seed=1).run([(rotation, values)], shots=30).result()
    measured = sorted(events("shots.measured"), key=lambda event: event.data.part)
    assert [event.data.part for event in measured] == list(range(6))
    for event, index in zip(measured, np.ndindex(2, 3), strict=True):
        assert event.data.parameters == parameters_digest(values[index].tolist())
        counts = result[0].data.meas.get_int_counts(index)
        assert dict(zip(event.data.outcomes.keys, event.data.outcomes.counts, strict=True)) == counts
    (completed,) = events("job.completed")
    assert (completed.data.executions, completed.data.shots_executed) == (6, 30)


def test_a_sweep_too_long_is_pooled_into_one_event(installed, events, rotation):
    values = np.zeros((measurements.MAX_PARTS + 1, 2))
    SamplerV2(seed=1).run([(rotation, values), (rotation, [0.1, 0.2])], shots=4).result()
    pooled, single = sorted(events("shots.measured"), key=lambda event: event.data.pub)
    assert pooled.data.shots == 4 * len(values)
    assert pooled.data.statistics.ones == [0, 0]
    assert pooled.data.parameters == parameters_digest([0.0] * 2 * len(values))
    assert single.data.outcomes is not None


def test_many_single_pubs_are_all_outcomes(installed, events, bell):
    SamplerV2(seed=1).run([bell] * (measurements.MAX_PARTS + 10), shots=4).result()
    measured = events("shots.measured")
    assert len(measured) == measurements.MAX_PARTS + 10
    assert all(event.data.outcomes is not None for event in measured)


def test_values_given_by_name_have_the_digest_of_their_order_in_the_circuit(installed, events):
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(1)
    circuit.ry(b, 0)
    circuit.rz(a, 0)
    circuit.measure_all()
    sampler = SamplerV2(seed=1)
    sampler.run([(circuit, {b: 2.0, a: 1.0})], shots=4).result()
    sampler.run([(circuit, {"a": 1.0, "b": 2.0})], shots=4).result()
    sampler.run([(circuit, {("b", "a"): [2.0, 1.0]})], shots=4).result()
    sampler.run([(circuit, [1.0, 2.0])], shots=4).result()
    assert {event.data.parameters for event in events("shots.measured")} == {parameters_digest([1.0, 2.0])}


def test_without_parameters_there_is_no_digest(installed, events, bell):
    SamplerV2().run([bell], shots=4).result()
    (measured,) = events("shots.measured")
    assert measured.data.parameters is None


def test_registers_keep_their_names_and_order(installed, events):
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(1, "first"), ClassicalRegister(2, "second"))
    circuit.x([0, 2])
    circuit.measure([0, 1, 2], [0, 1, 2])
    StatevectorSampler().run([circuit], shots=6).result()
    (measured,) = events("shots.measured")
    assert [(register.name, register.bits) for register in measured.data.registers] == [("first", 1), ("second", 2)]
    assert (measured.data.outcomes.keys, measured.data.outcomes.counts) == (bytes([0b101]), [6])


def test_pubs_with_shots_of_their_own_leave_the_jobs_shots_unknown(installed, events, bell):
    SamplerV2().run([(bell, None, 10), (bell, None, 20)]).result()
    (created,), (completed,) = events("job.created"), events("job.completed")
    assert created.data.shots_requested is completed.data.shots_executed is None
    assert completed.data.executions == 2
    assert sorted(event.data.shots for event in events("shots.measured")) == [10, 20]


def test_an_exact_estimator_has_values_without_errors_or_shots(installed, events):
    StatevectorEstimator().run([(QuantumCircuit(2), ["ZZ", "XX"])]).result()
    (measured,) = events("shots.measured")
    assert measured.data.expectation.values == [1.0, 0.0]
    assert measured.data.expectation.standard_errors is None
    assert measured.data.shots == 0
    assert measured.data.outcomes is None


def test_a_sampling_estimator_reports_its_shots_and_errors(installed, events):
    circuit = QuantumCircuit(1)
    circuit.h(0)
    BackendEstimatorV2(backend=AerSimulator(seed_simulator=1)).run([(circuit, "Z")], precision=0.1).result()
    (measured,), (completed,) = events("shots.measured"), events("job.completed")
    assert measured.data.shots == completed.data.shots_executed == 100
    assert measured.data.expectation.standard_errors == [pytest.approx(0.1, rel=0.1)]
    assert completed.data.executions is None


def test_an_estimators_sweep_has_all_values_in_one_event_and_many_are_split(installed, events):
    angle = Parameter("a")
    circuit = QuantumCircuit(1)
    circuit.ry(angle, 0)
    angles = np.linspace(0, 1, 1500)
    StatevectorEstimator().run([(circuit, "Z", angles)]).result()
    EstimatorV2().run([(circuit, "Z", angles[:3])]).result()
    *parts, small = events("shots.measured")
    parts.sort(key=lambda event: event.data.part)
    assert [len(part.data.expectation.values) for part in parts] == [1000, 500]
    assert parts[0].data.parameters == parts[1].data.parameters == parameters_digest(angles.tolist())
    assert small.data.expectation.values == pytest.approx(np.cos(angles[:3]).tolist())


class Recorded(BaseSamplerV2):
    """A sampler whose results were measured elsewhere."""

    def __init__(self, result):
        self._result = result

    def run(self, pubs, *, shots=None):
        job = PrimitiveJob(lambda: self._result)
        job._submit()
        job.result()  # a callback of a future that is done comes at once
        return job


def test_a_result_larger_than_the_recorders_queue_is_counted_and_its_job_ends(instrumentation, recorder, events):
    circuit = QuantumCircuit(40)
    circuit.measure_all()
    shots = 600_000  # 3 MB a pub
    rows = np.repeat(np.arange(6, dtype=np.uint8), shots // 6)[:, None] * np.ones((1, 5), np.uint8)
    result = PrimitiveResult([SamplerPubResult(DataBin(meas=BitArray(rows, 40), shape=())) for _ in range(8)])
    instrumentation.wrap(recorder, Recorded(result)).run([circuit] * 8).result()
    (completed,) = events("job.completed")
    assert completed.data.shots_executed == shots
    measured = events("shots.measured")
    assert [event.data.pub for event in measured] == list(range(8))
    assert all(event.data.outcomes.counts == [shots // 6] * 6 for event in measured)
    assert recorder.stats().reasons == {}


def test_nothing_of_a_job_is_kept_after_it_was_reported(installed, events, rotation):
    import gc
    import weakref

    sampler = SamplerV2()
    references = []
    for _ in range(3):
        job = sampler.run([(rotation.copy(), [0.1, 0.2])], shots=10)
        references += [weakref.ref(job), weakref.ref(job.result())]
    del job
    assert len(events("job.completed")) == 3
    gc.collect()
    assert [reference() for reference in references] == [None] * 6
