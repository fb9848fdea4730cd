import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import StatevectorEstimator, StatevectorSampler
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2

from quantum_mlops.testing import RecordedDevice


def short(events):
    return [event.type.removeprefix("quantum_mlops.").removesuffix(".v1") for event in events]


@pytest.fixture(scope="module")
def device():
    return RecordedDevice.load("hanoi", "2021-12-09")


@pytest.fixture(scope="module")
def fixed(device):
    circuit = real_amplitudes(4, reps=1)
    circuit.measure_all()
    manager = generate_preset_pass_manager(1, backend=device, initial_layout=[0, 1, 2, 3], seed_transpiler=1)
    return manager.run(circuit.assign_parameters(np.linspace(0, 2, 8)))


def test_it_runs_before_every_nth_job_as_a_job_of_its_own(installed, recorder, events, device, fixed):
    installed.make_canary(recorder, fixed, 2, 300, "watch")
    sampler = SamplerV2.from_backend(device)
    with recorder.run("training") as run:
        for _ in range(5):
            sampler.run([fixed], shots=100).result()
    roles = [event.data.role for event in events("job.created")]
    assert roles == ["canary", None, None, "canary", None, None, "canary", None]
    measured = events("canary.measured")
    assert len(measured) == 3
    for event in measured:
        assert event.context.runid == run.id
        assert event.data.reference == "canary"
        assert event.data.shots == sum(event.data.outcomes.counts) == 300
        assert event.data.circuit_name == "watch"
        assert event.data.footprint.qubits == [0, 1, 2, 3]
        assert event.data.footprint.calibration_id is not None
        assert event.partitionkey == "p"
    assert len({event.data.circuit for event in measured}) == 1
    assert [event.data.reference for event in events("shots.measured")] == [None] * 5


def test_a_fixed_circuit_stays_what_it_was(installed, recorder, events, bell):
    installed.make_canary(recorder, bell, 1, 10, None)
    sampler = SamplerV2()
    sampler.run([bell]).result()
    bell.x(0)
    sampler.run([bell]).result()
    first, second = events("canary.measured")
    assert first.data.circuit == second.data.circuit
    assert first.data.circuit_name == "bell"


def test_results_of_the_user_are_bitwise_the_same_with_a_canary_under_a_seed(installed, recorder, device, fixed):
    def counts():
        sampler = SamplerV2.from_backend(device, seed=5)
        return [sampler.run([fixed], shots=64).result()[0].data.meas.array.tobytes() for _ in range(2)]

    bare = counts()
    installed.make_canary(recorder, fixed, 1, 16, None)
    assert counts() == bare


def test_a_cancelled_canary_runs_no_more(installed, recorder, events, bell):
    canary = installed.make_canary(recorder, bell, 1, 10, None)
    SamplerV2().run([bell]).result()
    canary.cancel()
    canary.cancel()
    SamplerV2().run([bell]).result()
    assert len(events("canary.measured")) == 1


def test_it_can_be_run_by_hand_on_the_last_sampler_or_a_given_one(installed, recorder, events, bell):
    canary = installed.make_canary(recorder, bell, 1000, 12, None)
    with pytest.raises(RuntimeError, match=r"canary.run\(sampler\)"):
        canary.run()
    assert canary.run(SamplerV2())[0].data.meas.num_shots == 12
    sampler = SamplerV2()
    sampler.run([bell]).result()
    assert canary.run() is not None
    assert len(events("canary.measured")) == 3


def test_estimators_and_samplers_inside_primitives_do_not_run_it(installed, recorder, events, bell):
    installed.make_canary(recorder, bell, 1, 12, None)
    StatevectorEstimator().run([(QuantumCircuit(1), "Z")]).result()
    assert events("canary.measured") == []


def test_a_device_wide_canary_never_reaches_a_statevector_or_a_smaller_device(installed, recorder, events, fixed, bell):
    installed.make_canary(recorder, fixed, 1, 12, None)
    StatevectorSampler().run([bell]).result()
    assert [event.data.role for event in events("job.created")] == [None]


def test_its_failure_is_counted_and_reported_but_never_raised(recorder, instrumentation, events, bell, capfd):
    import sys

    broken = QuantumCircuit(1, 1)
    broken.measure(0, 0)
    broken.h(0)
    broken.measure(0, 0)
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    canary = instrumentation.make_canary(recorder, broken, 1, 10, None)
    try:
        sampler = StatevectorSampler(seed=1)
        for _ in range(2):
            assert sampler.run([bell], shots=10).result()[0].data.meas.num_shots == 10
        assert canary.run() is None
    finally:
        for undo in undos:
            undo()
    failed = events("job.failed")
    assert [event.data.role for event in failed] == ["canary"] * 3
    assert len(events("job.completed")) == 2
    assert recorder.stats().reasons == {"canary_failed": 3}
    assert capfd.readouterr().err.count("cannot handle mid-circuit measurements") == 1  # said once


@pytest.mark.parametrize(
    ("circuit", "every", "shots", "message"),
    [
        (lambda bell: bell, 0, 10, "every >= 1"),
        (lambda bell: bell, 1, 0, "shots >= 1"),
        (lambda bell: QuantumCircuit(1), 1, 1, r"measure_all\(\)"),
        (lambda bell: (bell.rx(Parameter("a"), 0), bell)[1], 1, 1, "assign_parameters"),
    ],
)
def test_what_cannot_be_a_canary_is_refused_with_the_mend(
    instrumentation, recorder, bell, circuit, every, shots, message
):
    with pytest.raises(ValueError, match=message):
        instrumentation.make_canary(recorder, circuit(bell), every, shots, None)


def test_what_is_no_circuit_of_qiskit_is_not_ours(instrumentation, recorder):
    assert instrumentation.make_canary(recorder, "OPENQASM 3;", 1, 1, None) is None
