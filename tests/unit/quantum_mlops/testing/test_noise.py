import pytest
from qiskit import QuantumCircuit
from qiskit_aer.noise import NoiseModel

from quantum_mlops.testing import RecordedDevice, Snapshot
from quantum_mlops.testing.noise import build_noise_model, qubits_in_use


class IbmProperties:
    """What Aer asks of IBM's BackendProperties, over the whole snapshot."""

    def __init__(self, snapshot):
        self.gates, self.qubits = snapshot.gates, snapshot.qubits
        self.t1, self.t2, self.frequency = snapshot.t1_seconds, snapshot.t2_seconds, snapshot.frequency_hertz


@pytest.fixture(scope="module", params=[("hanoi", "2024-04-16"), ("sherbrooke", "2025-02-26")])
def snapshot(request):
    return Snapshot.load(*request.param)


@pytest.fixture(scope="module")
def full(snapshot):
    with pytest.MonkeyPatch.context() as patch:
        # before 0.17 Aer insists on the class of Qiskit 1; it reads the same attributes of it
        patch.setattr("qiskit_aer.noise.noise_model.BackendProperties", IbmProperties, raising=False)
        return NoiseModel.from_backend_properties(IbmProperties(snapshot))


def test_the_model_of_all_qubits_is_the_one_aer_builds(snapshot, full, channels):
    mine = build_noise_model(snapshot, range(snapshot.num_qubits))
    assert channels(mine) == channels(full)
    assert sorted(mine.basis_gates) == sorted(full.basis_gates)
    assert len(mine._custom_noise_passes) == len(full._custom_noise_passes) == 1


@pytest.mark.parametrize("line", [(0, 1, 2, 3), (19, 22, 25, 24), (7,), (4, 1, 7, 10)])
def test_the_reduced_model_has_exactly_the_channels_of_the_full_one(snapshot, full, line, channels):
    reduced = channels(build_noise_model(snapshot, line))
    assert reduced == channels(full, line)
    assert reduced.keys() >= {(name, (qubit,)) for name in ("sx", "x", "measure") for qubit in line}


def test_barriers_use_no_qubit_and_measurements_do():
    circuit = QuantumCircuit(6, 1)
    circuit.barrier()
    circuit.cx(4, 1)
    circuit.measure(2, 0)
    other = QuantumCircuit(3)
    other.x(0)
    assert qubits_in_use([circuit]) == {1, 2, 4}
    assert qubits_in_use([circuit, other]) == {0, 1, 2, 4}


def test_a_noise_model_is_built_once_for_the_same_qubits_and_again_after_a_recalibration(canary):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    first = device.noise_model(circuit)
    assert device.noise_model(circuit) is first
    assert first.noise_qubits == [0, 1, 2, 3]
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    assert device.noise_model(circuit) != first


def test_a_delay_relaxes_by_the_recorded_t1():
    device = RecordedDevice.load("hanoi", "2025-02-12")
    circuit = QuantumCircuit(27, 1)
    circuit.x(7)
    circuit.delay(20e-6, 7, unit="s")
    circuit.measure(7, 0)
    short = circuit.copy_empty_like()
    short.x(7)
    short.measure(7, 0)
    decay = device.probabilities(circuit)[1] / device.probabilities(short)[1]
    assert 0.05 < decay < 0.12  # exp(-20 / 7.45) = 0.068, plus the readout's false ones
