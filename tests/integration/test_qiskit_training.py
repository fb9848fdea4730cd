"""A user's training loop on a recorded device, as `autolog` sees it: from the loop to the spool, no daemon."""

import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2

import quantum_mlops
from quantum_mlops.calibrations import calibration_id
from quantum_mlops.sdk import default
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.spool.reader import read_folder
from quantum_mlops.testing import RecordedDevice, Snapshot

LINE = [0, 1, 2, 3]
STEPS, CHANGE = 6, 3


@pytest.fixture
def spool(tmp_path, monkeypatch):
    """Autolog with a recorder of its own: the default one keeps its spool as long as the process lives."""
    recorder = Recorder()
    monkeypatch.setattr(default, "recorder", recorder)
    folder = tmp_path / "spool"
    undo = quantum_mlops.autolog(project="iris", target=f"spool:{folder}")
    yield folder
    undo()
    recorder.close()


@pytest.fixture
def events(spool):
    def read(*kinds):
        assert quantum_mlops.flush(10)
        names = {f"quantum_mlops.{kind}.v1" for kind in kinds}
        return sorted((event for event in read_folder(spool) if event.type in names), key=lambda event: event.time)

    return read


@pytest.fixture
def device():
    return RecordedDevice.load("hanoi", "2021-12-09")


def transpiled(circuit, device):
    manager = generate_preset_pass_manager(
        1, backend=device, initial_layout=LINE[: circuit.num_qubits], seed_transpiler=1
    )
    return manager.run(circuit)


def ansatz(reps):
    circuit = real_amplitudes(4, reps=reps)
    circuit.measure_all()
    return circuit


def test_a_training_with_a_canary_on_a_device_that_is_recalibrated(spool, events, device):
    model = transpiled(ansatz(1), device)
    canary = transpiled(ansatz(3).assign_parameters([0.1 * index for index in range(16)]), device)
    sampler = SamplerV2.from_backend(device)
    with quantum_mlops.run("vqc-1") as run:
        quantum_mlops.canary(canary, every=1, shots=256)
        for step in range(STEPS):
            if step == CHANGE:
                device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
            run.step = step
            pubs = [(model, [0.01 * step + 0.1 * pub] * 8) for pub in range(4)]
            sampler.run(pubs, shots=128).result()

    created, completed = events("job.created"), events("job.completed")
    assert len(created) == len(completed) == 2 * STEPS
    assert [event.data.role for event in created] == ["canary", None] * STEPS
    assert {event.data.job_id for event in created} == {event.data.job_id for event in completed}
    assert {event.context.runid for event in created} == {run.id}
    assert {event.project for event in created} == {event.partitionkey for event in created} == {"iris"}

    snapshots = events("calibration.snapshot")
    assert {event.partitionkey for event in snapshots} == {"ibm_hanoi"}
    announced = list(dict.fromkeys(event.data.calibration_id for event in snapshots))
    assert len(announced) == 2

    for event in created:
        assert event.data.backend == "ibm_hanoi"
        assert event.data.footprint.qubits == LINE
        assert event.data.footprint.edges == [(0, 1), (1, 2), (2, 3)]
        assert event.data.circuits[0].source_identity not in {None, event.data.circuits[0].identity}
    in_force = [event.data.footprint.calibration_id for event in created]
    assert len(set(in_force[: 2 * CHANGE])) == len(set(in_force[2 * CHANGE :])) == 1
    assert in_force[0] != in_force[-1]

    canaries = events("canary.measured")
    assert [event.data.footprint.calibration_id for event in canaries] == in_force[::2]
    assert {event.data.reference for event in canaries} == {"canary"}
    assert {event.data.circuit for event in canaries} == {created[0].data.circuits[0].identity}
    assert {event.data.shots for event in canaries} == {256}
    telling = [step for step, event in enumerate(canaries) if event.data.calibration is not None]
    assert telling == [0, CHANGE], "the footprint's values come with the first canary and after a change"
    for step in telling:
        columns = canaries[step].data.calibration
        assert calibration_id(columns) == canaries[step].data.footprint.calibration_id
        assert {qubit for column in columns for wires in column.wires for qubit in wires} == set(LINE)
    assert {event.data.calibration for event in events("shots.measured")} == {None}

    shots = events("shots.measured")
    assert len(shots) == 4 * STEPS
    assert {(event.context.step, event.data.pub) for event in shots} == {(s, p) for s in range(STEPS) for p in range(4)}
    assert {event.data.circuit for event in shots} == {created[1].data.circuits[0].identity}
    assert quantum_mlops.stats().dropped == 0


def test_a_canary_ends_with_the_run_that_it_was_made_in(spool, events, device):
    circuit = transpiled(ansatz(1).assign_parameters([0.1] * 8), device)
    sampler = SamplerV2.from_backend(device)
    with quantum_mlops.run("first"):
        quantum_mlops.canary(circuit, every=1, shots=16)
        sampler.run([circuit], shots=16).result()
    sampler.run([circuit], shots=16).result()
    assert len(events("canary.measured")) == 1
    assert len(events("shots.measured")) == 2


def test_every_primitive_on_the_device_is_one_job_a_call(spool, events, device):
    circuit = transpiled(ansatz(1).assign_parameters([0.2] * 8), device)
    bare = transpiled(real_amplitudes(4, reps=1).assign_parameters([0.2] * 8), device)
    BackendSamplerV2(backend=device).run([circuit, circuit], shots=32).result()
    BackendEstimatorV2(backend=device).run([(bare, "I" * 23 + "ZZII")], precision=0.1).result()
    created = events("job.created")
    assert [event.data.primitive for event in created] == ["BackendSamplerV2", "BackendEstimatorV2"]
    assert {event.data.footprint.calibration_id for event in created} == {created[0].data.footprint.calibration_id}
    measured = events("shots.measured")
    assert [event.data.pub for event in measured if event.data.outcomes] == [0, 1]
    (expectation,) = [event.data.expectation for event in measured if event.data.expectation]
    assert len(expectation.values) == len(expectation.standard_errors) == 1


def test_a_training_that_breaks_in_the_middle_says_why(spool, events, device):
    good = transpiled(ansatz(1).assign_parameters([0.2] * 8), device)
    broken = QuantumCircuit(2, 1, name="broken")
    inner = QuantumCircuit(1, name="no_device_knows_me").to_instruction()
    inner.definition = None
    broken.append(inner, [0])
    broken.measure(0, 0)
    sampler = SamplerV2.from_backend(device)

    @quantum_mlops.run("breaks")
    def train():
        for circuit in (good, broken):
            sampler.run([circuit], shots=16).result()

    with pytest.raises(Exception, match="no_device_knows_me") as raised:
        train()
    assert len(events("job.completed")) == 1
    (failed,) = events("job.failed")
    assert failed.data.failure.code == type(raised.value).__name__
    assert "no_device_knows_me" in failed.data.failure.message
    assert failed.data.job_id == events("job.created")[-1].data.job_id
    (ended,) = events("run.ended")
    assert ended.data.status == "failed"


def test_a_wrapped_sampler_is_recorded_without_hooks_and_takes_a_canary(tmp_path, monkeypatch, device):
    recorder = Recorder()
    monkeypatch.setattr(default, "recorder", recorder)
    monkeypatch.setenv("QML_SPOOL_DIR", str(tmp_path))
    circuit = transpiled(ansatz(1).assign_parameters([0.1] * 8), device)
    bare = SamplerV2.from_backend(device)
    sampler = quantum_mlops.wrap(bare)
    assert isinstance(sampler, SamplerV2)
    with quantum_mlops.run("wrapped"):
        quantum_mlops.canary(circuit, every=1, shots=64)
        sampler.run([circuit], shots=32).result()
        bare.run([circuit], shots=32).result()
    assert quantum_mlops.wrap("no primitive") == "no primitive"
    recorder.close()
    created = [event.data.role for event in read_folder(tmp_path) if event.type.endswith("job.created.v1")]
    assert created == ["canary", None]
