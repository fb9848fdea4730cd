import msgspec
import numpy as np
import pytest

from qml_processors.base import Forget
from qml_processors.drift import DriftProcessor
from qml_processors.drift.processor import REFERENCE_LIMIT
from qml_processors.drift.state import DriftState
from quantum_mlops.clock import DAY
from quantum_mlops.config.rules import DriftRule, Rules
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import (
    CalibrationColumn,
    Event,
    Expectation,
    Footprint,
    MetricLogged,
    Outcomes,
    ShotsMeasured,
    ShotStatistics,
    type_name,
)

GOOD = np.array([0.4, 0.3, 0.2, 0.1])
BAD = np.array([0.25, 0.25, 0.25, 0.25])
RULES = Rules()


def canary(number, counts, epoch="k1:a", calibration=None, **changes):
    seen = np.flatnonzero(counts)
    data = ShotsMeasured(
        job_id=f"j-{number}", backend="ibm_hanoi", footprint=Footprint(qubits=[0, 1], calibration_id=epoch), circuit="c1:0123456789abcdef",
        circuit_name="bell", reference="canary", shots=int(counts.sum()), calibration=calibration,
        outcomes=Outcomes(bits=2, keys=bytes(seen.tolist()), counts=counts[seen].tolist()),
    )  # fmt: skip
    return Event(
        id=f"{number:016x}", source="qml://lab/n/1", type=type_name("canary.measured"), time=number, partitionkey="iris",
        project="iris", ingestedtime=number, data=msgspec.structs.replace(data, **changes),
    )  # fmt: skip


class Series:
    """A series with encode and decode after every step."""

    def __init__(self, rules=RULES, shots=4096, seed=1):
        self.processor, self.rules, self.shots = DriftProcessor(), rules, shots
        self.state = self.processor.open("")
        self.generator = np.random.default_rng(seed)
        self.number = 0

    def feed(self, distribution, times, **more):
        found = []
        for counts in self.generator.multinomial(self.shots, distribution, size=times):
            found += self.take(canary(self.number, counts, **more))
        return found

    def take(self, event):
        self.number += 1
        found = list(self.processor.apply(self.state, event, self.rules))
        raw = msgspec.msgpack.encode(self.state)
        self.state = msgspec.msgpack.decode(raw, type=DriftState)
        assert msgspec.msgpack.encode(self.state) == raw
        return found


def test_a_change_opens_and_its_end_closes():
    series = Series()
    assert series.feed(GOOD, 50) == []
    (opened,) = series.feed(BAD, 5, epoch="k1:b")
    (closed,) = series.feed(GOOD, 5, epoch="k1:c")
    assert (opened.transition, closed.transition, closed.reason) == ("opened", "closed", "recovered")
    assert opened.labels == {
        "backend": "ibm_hanoi", "qubits": "0-1", "circuit": "c1:0123456789ab", "project": "iris",
    }  # fmt: skip
    truth = float(np.sqrt(1 - np.sqrt(GOOD * BAD).sum()))
    assert opened.values["hellinger_low"] < truth < opened.values["hellinger_high"]
    assert opened.annotations["calibration_before"] == "k1:a"
    assert opened.annotations["calibration_after"] == "k1:b"
    assert closed.annotations["calibration_after"] == "k1:c"
    assert opened.annotations["host"] == "lab"
    assert len(opened.evidence) == opened.values["executions"]


def test_the_changed_values_are_ranked_in_the_finding():
    series = Series()
    before = [CalibrationColumn(name="cx_error", wires=[[0, 1]], values=[0.01], times=[0.0])]
    after = [CalibrationColumn(name="cx_error", wires=[[0, 1]], values=[0.03], times=[0.0])]
    series.feed(GOOD, 1, calibration=before)
    series.feed(GOOD, 30)
    opened, *_ = series.feed(BAD, 1, epoch="k1:b", calibration=after) + series.feed(BAD, 4, epoch="k1:b")
    (change,) = opened.details["changed_calibrations"]
    assert opened.annotations["calibration_before"] == "k1:a (1970-01-01)"
    assert (change["qubits"], change["before"], change["after"]) == ("0-1", "0.01", "0.03")


def test_lost_calibration_values_are_said_to_be_lost():
    series = Series()
    series.feed(GOOD, 30)
    (opened,) = series.feed(BAD, 5, epoch="k1:b")
    assert "the values were not received" in opened.annotations["description"]
    assert opened.details == {}


def test_the_reference_is_frozen_while_open_and_at_its_limit():
    series = Series()
    series.feed(GOOD, 50)
    series.feed(BAD, 5)
    samples = series.state.reference.samples
    series.feed(BAD, 20)
    assert series.state.open
    assert series.state.reference.samples == samples <= 50
    calm = Series()
    calm.feed(GOOD, REFERENCE_LIMIT + 20)
    assert calm.state.reference.samples == REFERENCE_LIMIT


def test_a_recalibration_that_mends_nothing_updates_the_open_finding_once():
    series = Series()
    series.feed(GOOD, 50)
    series.feed(BAD, 5, epoch="k1:b")
    found = series.feed(BAD, 20, epoch="k1:c")
    assert [finding.transition for finding in found] == ["updated"]
    assert found[0].annotations["calibration_after"] == "k1:c"


def test_a_change_below_the_minimum_effect_is_never_an_alert_whatever_the_shots():
    near = GOOD + np.array([0.015, -0.015, 0.01, -0.01])
    assert np.sqrt(1 - np.sqrt(GOOD * near).sum()) < 0.03
    series = Series(shots=200_000)
    assert series.feed(GOOD, 30) + series.feed(near, 100) == []


def test_plain_training_shots_and_expectation_values_have_no_series():
    processor = DriftProcessor()
    event = canary(1, np.array([1, 1, 1, 1]))
    assert processor.keys(event) == ("ibm_hanoi/0-1/c1:0123456789abcdef/-/canary",)
    assert processor.keys(canary(1, np.array([1, 1, 1, 1]), reference=None)) == ()
    expectation = Expectation(observables="Z", values=[0.1])
    assert processor.keys(canary(1, np.array([1, 1, 1, 1]), outcomes=None, expectation=expectation)) == ()
    assert processor.keys(msgspec.structs.replace(event, data=MetricLogged())) == ()


def test_other_physical_qubits_are_another_series():
    processor = DriftProcessor()
    counts = np.array([1, 1, 1, 1])
    moved = canary(1, counts, footprint=Footprint(qubits=[2, 3]))
    assert processor.keys(moved) != processor.keys(canary(1, counts))


def test_truncated_outcomes_are_compared_by_their_most_frequent():
    series = Series()

    def truncated(distribution):
        counts = series.generator.multinomial(4096, distribution)
        top = Outcomes(bits=2, keys=bytes([0, 1, 2]), counts=counts[:3].tolist())
        statistics = ShotStatistics(bits=2, ones=[0, 0], parities=[0], top=top, rest=int(counts[3]))
        return canary(series.number, counts, outcomes=None, statistics=statistics)

    quiet = [finding for _ in range(40) for finding in series.take(truncated(GOOD))]
    found = [finding for _ in range(5) for finding in series.take(truncated(BAD))]
    assert (quiet, [finding.transition for finding in found]) == ([], ["opened"])


def test_what_cannot_be_compared_is_said_once():
    series = Series(Rules(drift=DriftRule(warmup=1)), shots=3)
    found = series.feed(GOOD, 10)
    assert [(finding.transition, finding.rule, finding.severity) for finding in found] == [
        ("notice", "CircuitDriftNotCharted", "info")
    ]


def test_switching_the_rule_off_closes_what_is_open():
    series = Series()
    series.feed(GOOD, 50)
    series.feed(BAD, 5)
    off = Rules(drift=DriftRule(enabled=False))
    due = series.processor.next_timer(series.state, off)
    (closed,) = series.processor.on_timer(series.state, due, off)
    assert (closed.transition, closed.reason) == ("closed", "rule disabled")
    assert series.processor.next_timer(series.state, off) > due


def test_an_execution_without_shots_is_passed_over():
    series = Series()
    assert series.take(canary(1, np.array([0, 0, 0, 0]))) == []
    assert series.state.reference.samples == 0


def test_one_spoilt_execution_opens_nothing():
    series = Series()
    assert series.feed(GOOD, 50) + series.feed(BAD, 1) + series.feed(GOOD, 20) == []


def test_a_recovery_without_a_recalibration_is_told_by_its_own_executions():
    series = Series()
    series.feed(GOOD, 50)
    series.feed(BAD, 40)
    (closed,) = series.feed(GOOD, 5)
    assert closed.transition == "closed"
    assert closed.values["executions"] == 2
    assert closed.values["hellinger"] < 0.05


def test_an_incident_that_nobody_observes_any_more_closes_after_a_day_and_the_series_goes_after_thirty():
    series = Series()
    series.feed(GOOD, 50)
    series.feed(BAD, 5)
    due = series.processor.next_timer(series.state, RULES)
    assert due == 54 + DAY
    (closed,) = series.processor.on_timer(series.state, due, RULES)
    assert (closed.transition, closed.reason) == ("closed", "not observed for a day")
    due = series.processor.next_timer(series.state, RULES)
    assert due == 54 + 30 * DAY
    assert series.processor.on_timer(series.state, due, RULES) == [Forget()]
    assert series.processor.next_timer(series.state, RULES) is None


def test_counts_of_zero_do_not_cost_the_series_its_reference():
    series = Series()
    series.feed(GOOD, 50)
    zeros = Outcomes(bits=2, keys=bytes([0]), counts=[0])
    assert series.take(canary(50, np.array([1, 0, 0, 0]), shots=4096, outcomes=zeros)) == []
    assert series.state.reference.samples == 50


def test_a_newer_state_is_refused():
    with pytest.raises(StateTooNewError):
        DriftProcessor().migrate(b"", 2)
