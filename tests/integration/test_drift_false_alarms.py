"""CircuitDrift against the exact outcome distributions of recorded devices: how often it opens, and when.

What must come was written down before the first run, in SILENT and INCIDENTS. The distributions are
exact (density matrix and readout), the shots are drawn from them, and the processor itself is run.
"""

from typing import NamedTuple

import numpy as np
import pytest
from qiskit.transpiler import generate_preset_pass_manager

from qml_daemon.demo.train import build_canary
from qml_processors.drift import DriftProcessor
from quantum_mlops.config.rules import Rules
from quantum_mlops.events import Event, Footprint, Outcomes, ShotsMeasured, type_name
from quantum_mlops.stats import count_limits, parse_rate
from quantum_mlops.testing import RecordedDevice, Snapshot

RUNS = 1000
INCIDENT_RUNS = 200
SHOTS = 4096
BEFORE, DURING, AFTER = 100, 40, 40
RULES = Rules()


class Case(NamedTuple):
    backend: str
    qubits: tuple[int, ...]
    before: str
    during: str
    after: str


SILENT = {
    "quiet qubits over the demo's dates": Case("hanoi", (19, 22, 25, 24), "2021-12-09", "2024-04-16", "2024-05-27"),
    "no change": Case("hanoi", (0, 1, 2, 3), "2021-12-09", "2021-12-09", "2021-12-09"),
}
INCIDENTS = {
    "the demo's": Case("hanoi", (0, 1, 2, 3), "2021-12-09", "2024-04-16", "2024-05-27"),
    "qubit 7 loses its T1": Case("hanoi", (1, 4, 7, 10), "2021-12-09", "2025-02-12", "2025-02-26"),
    "sherbrooke": Case("sherbrooke", (37, 38, 39, 40), "2024-04-16", "2025-02-26", "2024-04-16"),
}
OPENS_WITHIN, CLOSES_WITHIN = 5, 5


@pytest.fixture(scope="module")
def probabilities():
    known = {}

    def of(case):
        device = RecordedDevice.load(case.backend, case.before)
        transpiler = generate_preset_pass_manager(
            optimization_level=1, backend=device, initial_layout=list(case.qubits), seed_transpiler=1
        )
        canary = build_canary(transpiler)
        found = []
        for date in case[2:]:
            if (case[:2], date) not in known:
                device.recalibrate(Snapshot.load(case.backend, date))
                known[case[:2], date] = device.probabilities(canary)
            found.append(known[case[:2], date])
        return found

    return of


def canary_event(number, case, date, counts):
    seen = np.flatnonzero(counts)
    data = ShotsMeasured(
        job_id=f"job-{number}",
        backend=f"ibm_{case.backend}",
        footprint=Footprint(qubits=list(case.qubits), calibration_id=f"k1:{date}"),
        circuit="c1:canary",
        reference="canary",
        shots=SHOTS,
        outcomes=Outcomes(bits=4, keys=bytes(seen.tolist()), counts=counts[seen].tolist()),
    )
    return Event(
        id=f"{number:016x}", source="qml://lab/nonce/1", type=type_name("canary.measured"), time=number * 10**9,
        partitionkey="iris", project="iris", ingestedtime=number * 10**9, data=data,
    )  # fmt: skip


def watch(case, distributions, generator):
    """Return (transition, index of the canary) of every finding of one run."""
    processor, state = DriftProcessor(), DriftProcessor().open("")
    lengths = (BEFORE, DURING, AFTER)
    found, number = [], 0
    for date, distribution, length in zip(case[2:], distributions, lengths, strict=True):
        for counts in generator.multinomial(SHOTS, distribution, size=length):
            findings = processor.apply(state, canary_event(number, case, date, counts), RULES)
            found += [(finding.transition, number, finding) for finding in findings]
            number += 1
    return found


@pytest.mark.parametrize("name", SILENT)
def test_a_thousand_quiet_runs_open_no_more_often_than_declared(name, probabilities):
    case = SILENT[name]
    distributions = probabilities(case)
    generator = np.random.default_rng(20261121)
    opened = sum(bool(watch(case, distributions, generator)) for _ in range(RUNS))
    rate = 1 - (1 - 1 / parse_rate(RULES.drift.false_alarms)) ** (BEFORE + DURING + AFTER)
    _, most = count_limits(RUNS, rate, 0.99)
    assert opened <= most


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_found_within_five_canaries_and_closed_after_the_recovery(name, probabilities):
    case = INCIDENTS[name]
    distributions = probabilities(case)
    generator = np.random.default_rng(7)
    delays, closings = [], []
    for _ in range(INCIDENT_RUNS):
        found = watch(case, distributions, generator)
        assert [transition for transition, *_ in found] == ["opened", "closed"]
        delays.append(found[0][1] - BEFORE + 1)
        closings.append(found[1][1] - BEFORE - DURING + 1)
        opened = found[0][2]
        assert opened.values["hellinger_low"] <= opened.values["hellinger"] <= opened.values["hellinger_high"]
        assert opened.values["hellinger_low"] > 0
        assert opened.annotations["calibration_before"] == f"k1:{case.before}"
        assert opened.annotations["calibration_after"] == f"k1:{case.during}"
    assert min(delays) >= 1, "opened before the change"
    assert max(delays) <= OPENS_WITHIN
    assert min(closings) >= 1, "closed before the recovery"
    assert max(closings) <= CLOSES_WITHIN
