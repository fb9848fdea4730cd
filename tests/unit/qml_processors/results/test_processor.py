import pytest

from qml_processors.base import Forget
from qml_processors.results import ResultsProcessor
from qml_processors.results.processor import REMEMBERED
from quantum_mlops.clock import HOUR, SECOND
from quantum_mlops.config.rules import ResultsRule, Rules
from quantum_mlops.events import Context, Event, Job, RunEnded, type_name

START = 1_800_000_000 * SECOND
WARNING = "wrong-bits: BackendSamplerV2 over IonQ"


def _event(warnings, run="vqc-1", backend="ionq_qpu.forte-1", now=START, data=None):
    return Event(
        id="1", source="qml://h/a/0", type=type_name("job.running"), time=now, partitionkey="iris", project="iris",
        context=Context(runid=run), ingestedtime=now,
        data=data or Job(job_id="j-7", provider="qiskit_ionq", backend=backend, warnings=warnings),
    )  # fmt: skip


class Bench:
    """The series of one processor by key."""

    def __init__(self, rules=None):
        self.processor, self.rules, self.states = ResultsProcessor(), rules or Rules(), {}

    def show(self, event):
        found = []
        for key in self.processor.keys(event):
            state = self.states.setdefault(key, self.processor.open(key))
            found += self.processor.apply(state, event, self.rules)
        return found


def test_a_run_on_a_backend_is_one_notice_however_many_jobs():
    bench = Bench()

    found = [finding for number in range(1000) for finding in bench.show(_event([WARNING], now=START + number))]

    (notice,) = found
    assert (notice.transition, notice.rule, notice.severity) == ("notice", "ResultsWrong", "critical")
    assert notice.labels == {
        "run": "vqc-1", "project": "iris", "backend": "ionq_qpu.forte-1", "provider": "qiskit_ionq",
    }  # fmt: skip
    expected = "run vqc-1: results of ionq_qpu.forte-1 are wrong (BackendSamplerV2 over IonQ)"
    assert notice.annotations["summary"] == expected
    assert "job j-7" in notice.annotations["description"]
    assert "backend.run(circuits, shots=...).result().get_counts()" in notice.annotations["description"]
    assert notice.evidence == [("qml://h/a/0", "1")]


def test_another_run_or_backend_is_another_notice():
    bench = Bench()

    said = [
        len(bench.show(_event([WARNING], run=run, backend=backend)))
        for run, backend in [("a", "x"), ("a", "y"), ("b", "x"), (None, "x"), ("a", "x"), (None, None)]
    ]

    assert said == [1, 1, 1, 1, 0, 1]


@pytest.mark.parametrize("warnings", [[], ["slow: a thing"], ["wrong"], [""], ["WRONG-BITS: x"]])
def test_what_is_no_known_warning_has_no_series(warnings):
    assert ResultsProcessor().keys(_event(warnings)) == ()
    assert ResultsProcessor().keys(_event([], data=RunEnded(status="completed", duration_seconds=1.0))) == ()


def test_two_kinds_and_repeats_of_one():
    assert len(Bench().show(_event([WARNING, WARNING, "wrong-bits: other"]))) == 2
    assert len(ResultsProcessor().keys(_event([f"wrong-bits: {n}" for n in range(100)]))) == 8


def test_it_is_said_anew_after_two_days_of_silence():
    bench = Bench()
    event = _event([WARNING])
    assert bench.show(event)
    (key,) = bench.processor.keys(event)
    state = bench.states[key]
    bench.show(_event([WARNING], now=START + HOUR))

    due = bench.processor.next_timer(state, bench.rules)

    assert due == START + HOUR + REMEMBERED
    assert list(bench.processor.on_timer(state, due, bench.rules)) == [Forget()]
    assert bench.processor.next_timer(state, bench.rules) is None
    assert len(bench.show(event)) == 1


def test_switched_off_nothing_is_said_and_switched_on_it_is():
    bench = Bench(Rules(results=ResultsRule(enabled=False)))
    assert bench.show(_event([WARNING])) == []
    bench.rules = Rules(results=ResultsRule(severity="warning"))
    (notice,) = bench.show(_event([WARNING]))
    assert notice.severity == "warning"
