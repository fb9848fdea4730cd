import math
import subprocess
import sys

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer.primitives import SamplerV2

from qml_daemon.demo import train as script
from quantum_mlops.testing import RecordedDevice, Snapshot


def transpiler(device, line=(0, 1, 2, 3)):
    return generate_preset_pass_manager(
        optimization_level=1, backend=device, initial_layout=list(line), seed_transpiler=1
    )


@pytest.fixture
def device():
    return RecordedDevice.load("hanoi", "2021-12-09")


def test_iris_is_fishers_and_is_split_evenly_by_species():
    iris = script.load_iris(np.random.default_rng(0))
    assert np.bincount(iris.train_y).tolist() == [40, 40, 40]
    assert np.bincount(iris.validation_y).tolist() == [10, 10, 10]
    assert (iris.train_x.min(axis=0) == 0).all()
    assert iris.train_x.max(axis=0) == pytest.approx(np.pi)
    assert iris.validation_x.min() >= 0
    assert iris.validation_x.max() <= np.pi


def test_iris_has_the_means_of_the_original_and_not_of_the_faulty_copy():
    table = np.loadtxt(script.files("qml_daemon.demo") / "iris.csv", delimiter=",", skiprows=1)
    assert table[:, :4].mean(axis=0) == pytest.approx([5.843333, 3.057333, 3.758, 1.199333], abs=1e-6)


def test_the_same_seed_splits_alike_and_another_does_not():
    first, again, other = (script.load_iris(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first.train_x == again.train_x).all()
    assert (first.validation_x != other.validation_x).any()


def test_circuit_and_canary_stay_on_the_qubits_asked_for_without_a_swap(device):
    manager = transpiler(device, (1, 4, 7, 10))
    canary, circuit = script.build_canary(manager), script.build_classifier(manager).circuit
    for isa in (canary, circuit):
        edges = {frozenset(isa.find_bit(q).index for q in item.qubits) for item in isa.data if item.name == "cx"}
        assert edges == {frozenset(pair) for pair in ((1, 4), (4, 7), (7, 10))}
    assert canary.num_parameters == 0
    assert canary == script.build_canary(manager)


def test_scores_are_the_marginals_of_the_first_three_qubits():
    shots = np.array([[[0b000]] * 3 + [[0b001]], [[0b110]] * 4], dtype=np.uint8)
    probabilities = script.class_probabilities(shots)
    scores = np.array([[0.5, 1.0, 1.0], [1.0, -1.0, -1.0]])
    weights = np.exp(script.SHARPNESS * scores)
    assert probabilities == pytest.approx(weights / weights.sum(axis=1, keepdims=True))
    assert script.accuracy(probabilities, np.array([1, 1])) == 0.5
    assert script.cross_entropy(np.full((5, 3), 1 / 3), np.zeros(5, dtype=int)) == pytest.approx(math.log(3))


def test_a_step_is_one_job_of_32_circuits_and_training_lowers_the_loss(device):
    jobs, losses, steps = [], [], []

    class CountingSampler:
        """A real sampler, whose jobs are counted."""

        def __init__(self):
            self.real = SamplerV2.from_backend(device)

        def run(self, pubs, shots):
            jobs.append((sum(len(next(iter(values.values()))) for _, values in pubs), shots))
            return self.real.run(pubs, shots=shots)

    def after_step(step, metrics):
        losses.append(metrics["loss"])
        if "val_accuracy" in metrics:
            steps.append(step)

    rng = np.random.default_rng(1)
    script.train(
        CountingSampler(),
        script.build_classifier(transpiler(device)),
        script.load_iris(rng),
        rng,
        25,
        lambda step: None,
        after_step,
    )
    assert len(jobs) == len(losses) == 25
    assert [jobs[0], jobs[1]] == [(62, 1024), (32, 1024)]
    assert steps == [0, 10, 20]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


def test_the_laboratory_recalibrates_before_exactly_the_scheduled_steps(device):
    options = script.parse_arguments(["--change-at", "3", "--recover-at", "5"])
    device, schedule = script.load_schedule(options)
    before_step = script.recalibrate_on_schedule(device, schedule)
    dates = []
    for step in range(7):
        before_step(step)
        dates.append(device.snapshot.last_update_date.date().isoformat())
    assert dates == ["2021-12-09"] * 3 + ["2024-04-16"] * 2 + ["2024-05-27"] * 2


@pytest.mark.parametrize("word", ["none", "same"])
def test_no_change_means_that_nothing_happens(word):
    assert script.load_schedule(script.parse_arguments(["--after", word]))[1] == {}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--after", "2025-02-12"], {100: "2025-02-12", 140: "2025-02-26"}),
        (["--after", "2025-02-12", "--recover", "none"], {100: "2025-02-12"}),
        (["--after", "2025-02-12", "--recover", "2021-12-09"], {100: "2025-02-12", 140: "2021-12-09"}),
        (["--after", "2025-02-26", "--change-at", "120"], {120: "2025-02-26", 160: "2021-12-09"}),
    ],
)
def test_the_device_recovers_to_the_next_recorded_calibration_or_the_one_named(arguments, expected):
    schedule = script.load_schedule(script.parse_arguments(arguments))[1]
    assert {step: snapshot.last_update_date.date().isoformat() for step, snapshot in schedule.items()} == expected


def test_sherbrooke_comes_back_to_its_first_calibration_after_the_last():
    options = script.parse_arguments(
        ["--backend", "sherbrooke", "--qubits", "37-38-39-40", "--before", "2024-04-16", "--after", "2025-02-26"]
    )
    assert script.load_schedule(options)[1][140] == Snapshot.load("sherbrooke", "2024-04-16")
    assert options.steps == 180


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--before", "1999-01-01"], "no snapshot of backend 'hanoi' with date '1999-01-01'; available: "),
        (["--backend", "nairobi"], "no snapshot of backend 'nairobi'"),
        (["--qubits", "0-1-2-99"], "ibm_hanoi has qubits 0 to 26, not [99]"),
        (["--qubits", "0-1-2"], "expected four physical qubits such as 0-1-2-3, not '0-1-2'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", "qml_daemon.demo.train", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_progress_is_plain_lines_when_it_is_piped(capsys):
    after_step = script.report_progress(20)
    for step in range(20):
        after_step(step, {"loss": 1.0} | ({"val_accuracy": 0.5} if step % 10 == 0 else {}))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"step {step:>4}/20  loss 1.000  validation accuracy 0.50" for step in (0, 10)]


def test_qubits_that_are_no_line_are_refused_with_the_missing_neighbours(capsys):
    assert script.main(["--qubits", "1-2-3-9"]) == 2
    assert capsys.readouterr().err == "ibm_hanoi: qubits 3 and 9 are not neighbours; name four in a line\n"
