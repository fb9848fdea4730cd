import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2
from qiskit.providers import BackendV2
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel
from qiskit_aer.primitives import SamplerV2
from scipy.stats import chi2

from quantum_mlops.testing import RecordedDevice, Snapshot

SHOTS = 4096
FALSE_ALARM = 1e-6  # of one chi-square test under its null: the draws have no seed


def counts(bits):
    return np.bincount(bits.array[:, 0], minlength=2**bits.num_bits)


def assert_drawn_from(probabilities, observed):
    expected = probabilities * observed.sum()
    assert expected.min() > 5
    statistic = ((observed - expected) ** 2 / expected).sum()
    assert statistic < chi2.isf(FALSE_ALARM, len(expected) - 1)


def hellinger(p, q):
    return np.sqrt(1 - np.sqrt(p * q).sum())


@pytest.mark.parametrize(
    ("backend", "date", "line"), [("hanoi", "2024-04-16", (0, 1, 2, 3)), ("sherbrooke", "2024-04-16", (37, 38, 39, 40))]
)
def test_samples_follow_the_exact_distribution_of_reduced_and_full_noise(canary, backend, date, line):
    device = RecordedDevice.load(backend, date)
    circuit = canary(backend, date, line)
    exact = device.probabilities(circuit)
    assert exact.sum() == pytest.approx(1)
    assert_drawn_from(exact, counts(SamplerV2.from_backend(device).run([circuit], shots=SHOTS).result()[0].data.meas))
    plain = AerSimulator(noise_model=device.noise_model(), max_parallel_threads=1)
    whole = plain.run(circuit, shots=SHOTS).result().get_counts()
    assert_drawn_from(exact, np.array([whole.get(f"{k:04b}", 0) for k in range(16)]))


def test_it_is_a_backend_that_carries_the_recorded_names():
    device = RecordedDevice.load("hanoi", "2021-12-09")
    assert isinstance(device, BackendV2)
    assert (device.name, device.num_qubits, device.backend_version) == ("ibm_hanoi", 27, "1.0.18")
    assert device.options.max_parallel_threads == 1
    assert device.max_circuits is None
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert device.run(circuit, shots=1).result().backend_name == "ibm_hanoi"


def test_properties_have_the_shape_of_ibm():
    document = RecordedDevice.load("hanoi", "2021-12-09").properties(refresh=True).to_dict()
    assert set(document) == {"backend_name", "backend_version", "last_update_date", "qubits", "gates", "general"}
    assert document["qubits"][0][0].keys() == {"name", "unit", "value", "date"}
    assert document["gates"][0].keys() == {"qubits", "gate", "name", "parameters"}
    assert document["qubits"][0][0]["unit"] == "us"


def test_the_pass_manager_puts_a_circuit_on_the_qubits_asked_for(canary):
    circuit = canary("hanoi", "2021-12-09", (1, 4, 7, 10))
    used = {circuit.find_bit(q).index for item in circuit.data if item.name == "cx" for q in item.qubits}
    assert circuit.layout.final_index_layout() == [1, 4, 7, 10]
    assert used == {1, 4, 7, 10}


def test_without_a_seed_every_job_draws_its_own_shots(canary):
    sampler = SamplerV2.from_backend(RecordedDevice.load("hanoi", "2021-12-09"))
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    first, second = (sampler.run([circuit], shots=SHOTS).result()[0].data.meas for _ in range(2))
    assert first.array.tobytes() != second.array.tobytes()


def test_with_a_seed_the_same_shots_come_back(canary):
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    device = RecordedDevice.load("hanoi", "2021-12-09")
    first, second = (
        SamplerV2.from_backend(device, seed=5).run([circuit], shots=64).result()[0].data.meas for _ in range(2)
    )
    assert first.array.tobytes() == second.array.tobytes()


def test_the_sampler_of_aer_holds_the_device_itself_and_sees_a_recalibration(canary):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    sampler = SamplerV2.from_backend(device)
    assert sampler._backend is device
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    before = device.probabilities(circuit)
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    after = device.probabilities(circuit)
    assert hellinger(before, after) > 0.05
    assert_drawn_from(after, counts(sampler.run([circuit], shots=SHOTS).result()[0].data.meas))


def test_the_backend_sampler_of_qiskit_works_and_sees_a_recalibration(canary):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    sampler = BackendSamplerV2(backend=device)
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    result = sampler.run([circuit], shots=SHOTS).result()[0]
    assert_drawn_from(device.probabilities(circuit), counts(result.data.meas))


def test_recalibrating_changes_target_and_properties_and_nothing_else():
    device = RecordedDevice.load("hanoi", "2021-12-09")
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    assert device.name == "ibm_hanoi"
    assert device.properties().last_update_date.isoformat() == "2024-04-16T12:52:32+00:00"
    assert device.target["cx"][(2, 3)].error == pytest.approx(0.0309, abs=5e-5)
    assert device.snapshot is device.properties()


def test_a_calibration_of_another_device_is_refused():
    device = RecordedDevice.load("hanoi", "2021-12-09")
    with pytest.raises(ValueError, match="ibm_hanoi with 27 qubits cannot take a calibration of ibm_sherbrooke"):
        device.recalibrate(Snapshot.load("sherbrooke", "2024-04-16"))
    assert device.snapshot.backend_name == "ibm_hanoi"


def test_jobs_in_threads_never_mix_two_calibrations(canary, channels):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    circuit = canary("hanoi", "2021-12-09", (0, 1, 2, 3))
    snapshots = [Snapshot.load("hanoi", date) for date in ("2021-12-09", "2024-04-16")]
    valid = [channels(RecordedDevice(snapshot).noise_model(circuit)) for snapshot in snapshots]

    def work(turn):
        device.recalibrate(snapshots[turn % 2])
        return channels(device.noise_model(circuit)) in valid and device.run(circuit, shots=16).result().success

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(16)))


def test_options_can_be_set_and_leave_the_name_alone():
    device = RecordedDevice.load("hanoi", "2021-12-09", method="density_matrix", seed_simulator=3)
    device.set_options(method="statevector", max_parallel_threads=2)
    assert device.name == "ibm_hanoi"
    assert (device.options.method, device.options.max_parallel_threads) == ("statevector", 2)
    device.set_options(max_parallel_threads=None)
    assert device.options.max_parallel_threads == 1


def test_a_noise_model_of_the_users_own_replaces_the_recorded_one():
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.measure(0, 0)
    recorded = RecordedDevice.load("hanoi", "2024-04-16")
    assert set(recorded.run(circuit, shots=SHOTS).result().get_counts()) == {"0", "1"}
    ideal = RecordedDevice.load("hanoi", "2024-04-16", noise_model=NoiseModel(basis_gates=["x"]))
    assert ideal.run(circuit, shots=SHOTS).result().get_counts() == {"1": SHOTS}
    assert ideal.probabilities(circuit).tolist() == [0, 1]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda device: pickle.loads(pickle.dumps(device))])  # noqa: S301
def test_a_copy_is_a_device_of_its_own(duplicate):
    device = RecordedDevice.load("hanoi", "2021-12-09")
    twin = duplicate(device)
    device.recalibrate(Snapshot.load("hanoi", "2024-04-16"))
    assert twin.properties() == Snapshot.load("hanoi", "2021-12-09")
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    assert twin.run(circuit, shots=1).result().success


# Expected beforehand from exact distributions: incidents above the minimum effect of CircuitDrift, quiet qubits below.
INCIDENTS = [
    ("hanoi", (0, 1, 2, 3), "2021-12-09", "2024-04-16"),
    ("hanoi", (0, 1, 2, 3), "2024-04-16", "2024-05-27"),
    ("hanoi", (1, 4, 7, 10), "2021-12-09", "2025-02-12"),
    ("hanoi", (1, 4, 7, 10), "2025-02-12", "2025-02-26"),
    ("sherbrooke", (37, 38, 39, 40), "2024-04-16", "2025-02-26"),
]
QUIET = [
    ("hanoi", (0, 1, 2, 3), "2021-12-09", "2024-05-27"),
    ("hanoi", (1, 4, 7, 10), "2021-12-09", "2025-02-26"),
    ("hanoi", (19, 22, 25, 24), "2021-12-09", "2024-04-16"),
    ("hanoi", (19, 22, 25, 24), "2021-12-09", "2024-05-27"),
]


def change(canary, backend, line, before, after):
    circuit = canary(backend, before, line)
    device = RecordedDevice.load(backend, before)
    first = device.probabilities(circuit)
    device.recalibrate(Snapshot.load(backend, after))
    return hellinger(first, device.probabilities(circuit))


@pytest.mark.parametrize("case", INCIDENTS, ids=str)
def test_a_recorded_incident_moves_the_canary_beyond_the_minimum_effect(canary, case):
    assert 0.07 < change(canary, *case) < 0.1


@pytest.mark.parametrize("case", QUIET, ids=str)
def test_a_quiet_recalibration_moves_the_canary_less_than_the_minimum_effect(canary, case):
    assert 0 < change(canary, *case) < 0.02
