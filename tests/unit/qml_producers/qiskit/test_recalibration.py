"""A device that is recalibrated between a job's submission and its end."""

from datetime import timedelta

import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.qiskit.observer import Observer
from quantum_mlops.calibrations import footprint_id
from quantum_mlops.events import ProviderTimes
from quantum_mlops.testing import RecordedDevice, Snapshot

BEFORE, AFTER = Snapshot.load("hanoi", "2024-04-16"), Snapshot.load("hanoi", "2024-05-27")


def known(snapshot, *qubits):
    columns = columns_of_properties(RecordedDevice(snapshot).properties().to_dict())
    return footprint_id(columns, qubits, [qubits] if len(qubits) > 1 else [])


@pytest.fixture
def circuit():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    return circuit


@pytest.fixture
def device(installed, events, circuit):
    device = RecordedDevice(BEFORE)
    BackendSamplerV2(backend=device).run([circuit], shots=10).result()
    events()  # the first look at it is over
    return device


def run_through_a_recalibration(device, circuit, monkeypatch, events):
    original = device.run

    def run(*args, **kwargs):
        device.recalibrate(AFTER)
        return original(*args, **kwargs)

    monkeypatch.setattr(device, "run", run)
    job = BackendSamplerV2(backend=device).run([circuit], shots=10)
    job.result()
    found = {
        event.type.split(".", 1)[1]: event.data
        for event in events()
        if getattr(event.data, "job_id", None) == job.job_id()
    }
    return found["job.created.v1"].footprint, found["job.completed.v1"].footprint, found["shots.measured.v1"].footprint


def test_without_the_time_of_execution_the_end_tells_both_bounds(device, circuit, monkeypatch, events):
    created, completed, measured = run_through_a_recalibration(device, circuit, monkeypatch, events)
    assert (created.calibration_id, created.calibration_id_after) == (known(BEFORE, 0), None)
    assert completed == measured
    assert (completed.qubits, completed.calibration_id, completed.calibration_id_after) == (
        [0],
        known(BEFORE, 0),
        known(AFTER, 0),
    )
    told = [event.data.calibration_id for event in events("calibration.snapshot")]
    assert len(told) == len(set(told)) == 2


@pytest.mark.parametrize(("hours", "snapshot"), [(1, AFTER), (-24 * 30, BEFORE)])
def test_with_the_time_of_execution_it_tells_the_calibration_in_force_then(
    device, circuit, monkeypatch, events, hours, snapshot
):
    started = AFTER.last_update_date + timedelta(hours=hours)
    times = ProviderTimes(started=started, ended=started + timedelta(seconds=3))
    original = Observer._submission

    def timed(self, *arguments):
        submission = original(self, *arguments)
        submission.service.times = times  # as the provider says them to whoever asks for them before the end
        return submission

    monkeypatch.setattr(Observer, "_submission", timed)
    _, completed, measured = run_through_a_recalibration(device, circuit, monkeypatch, events)
    assert completed == measured
    assert (completed.calibration_id, completed.calibration_id_after) == (known(snapshot, 0), None)


def test_a_job_whose_calibration_did_not_change_tells_no_footprint_again(device, circuit, events):
    job = BackendSamplerV2(backend=device).run([circuit], shots=10)
    job.result()
    (completed,) = [event.data for event in events("job.completed") if event.data.job_id == job.job_id()]
    assert completed.footprint is None
    (measured,) = [event.data for event in events("shots.measured") if event.data.job_id == job.job_id()]
    assert (measured.footprint.calibration_id, measured.footprint.calibration_id_after) == (known(BEFORE, 0), None)
