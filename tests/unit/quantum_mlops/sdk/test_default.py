import subprocess
import sys

import pytest

import quantum_mlops
from quantum_mlops.sdk import default
from quantum_mlops.sdk.autolog import Autolog


class Canary:
    def __init__(self, fault=None):
        self.fault = fault
        self.runs = self.cancels = 0

    def run(self):
        self.runs += 1
        if self.fault:
            raise self.fault
        return "counts"

    def cancel(self):
        self.cancels += 1


@pytest.fixture
def face(recorder, monkeypatch):
    """The public functions on a recorder of the test's own."""
    monkeypatch.setattr(default, "recorder", recorder)
    monkeypatch.setattr(Autolog, "load", lambda self: None)
    return quantum_mlops


@pytest.fixture
def instrumented(face, recorder):
    """autolog with one instrumentation that makes this canary."""

    def make(canary):
        class Maker:
            name, modules = "maker", ()

            def install(self, recorder, module):
                return lambda: None

            def make_canary(self, recorder, circuit, every, shots, name):
                if isinstance(canary, Exception):
                    raise canary
                return canary

        handle = face.autolog()
        handle.add(Maker())
        return canary

    return make


def test_stats_stays_a_function_where_the_mathematics_of_that_name_is_imported():
    code = "import quantum_mlops; from quantum_mlops.stats import threshold; print(quantum_mlops.stats().written, threshold(10_000.0) > 7)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 True\n"


def test_the_public_names_are_these():
    assert sorted(quantum_mlops.__all__) == [
        "Run", "Step", "__version__", "autolog", "canary", "current_run", "current_step", "emit", "flush", "log_metrics", "run",
        "stats", "step", "wrap",
    ]  # fmt: skip
    assert all(hasattr(quantum_mlops, name) for name in quantum_mlops.__all__)


def test_autolog_twice_is_autolog_once(face, capsys):
    first = face.autolog()
    assert face.autolog() is first
    assert face.autolog(project="iris") is first
    assert capsys.readouterr().err == ""
    assert face.autolog(project="other") is first
    assert "already on for project 'iris'" in capsys.readouterr().err
    first()
    assert face.autolog() is not first


def test_metrics_events_and_steps_go_to_the_current_run(face, written):
    with face.run("x") as run:
        assert face.current_run() is run
        run.step = 3
        assert face.current_step() == 3
        assert face.log_metrics({"a": 1})
        assert face.emit(
            "experiment.observed", {"name": "e", "variant": "b", "block": 1, "successes": 3, "n": 10}, blockid="1"
        )
        assert face.flush(10)
    assert face.current_step() is None
    assert face.stats().written >= 3
    assert face.stats().reasons == {}
    (observed,) = written("experiment.observed")
    assert (observed.context.runid, observed.context.step, observed.context.blockid) == (run.id, 3, "1")


def test_a_canary_runs_and_is_cancelled_with_its_run(face, instrumented):
    inner = instrumented(Canary())
    with face.run("x"):
        canary = face.canary(object(), every=2, shots=10)
        assert canary.run() == "counts"
        assert inner.cancels == 0
    assert inner.cancels == 1
    canary.cancel()
    assert (inner.cancels, canary.run()) == (1, None)


def test_a_canary_s_failure_never_reaches_the_user_and_is_counted(face, instrumented, capsys):
    instrumented(Canary(RuntimeError("no calibration")))
    with face.run("x"):
        canary = face.canary(object())
        assert canary.run() is None
        assert canary.run() is None
    assert face.stats().reasons == {"canary_failed": 2}
    assert capsys.readouterr().err.count("RuntimeError: no calibration") == 1


def test_a_circuit_that_makes_the_instrumentation_fail_is_counted(face, instrumented):
    instrumented(ValueError("not an ISA circuit"))
    assert face.canary(object()).run() is None
    assert face.stats().reasons == {"canary_failed": 1}


def test_each_mistake_with_a_canary_is_said_once_and_a_text_that_never_repeats_does_not_go_on_for_ever(
    face, instrumented, capsys
):
    canary = Canary()
    instrumented(canary)
    made = face.canary(object())
    for text in ("job 17 has no result", "job 18 has no result", "no calibration", "job 19 has no result"):
        canary.fault = RuntimeError(text)
        made.run()
    said = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in said] == ["job 17 has no result", "no calibration"]
    for number in range(30):
        canary.fault = RuntimeError("x" * number)
        made.run()
    assert len(capsys.readouterr().err.splitlines()) == 6
    assert face.stats().reasons == {"canary_failed": 34}


@pytest.mark.parametrize(("on", "why"), [(False, "call autolog() first"), (True, "no instrumentation takes it")])
def test_a_canary_that_cannot_be_made_is_one_line_and_does_nothing(face, capsys, on, why):
    if on:
        face.autolog()
    canary = face.canary("circuit")
    assert canary.run() is None
    canary.cancel()
    assert capsys.readouterr().err == f"quantum-mlops: no canary for a circuit of type str: {why}\n"


EVERYTHING = """
import sys, quantum_mlops as q
undo = q.autolog(project="iris")
@q.run("f")
def f():
    return q.log_metrics({"a": 1}), q.emit("x", {"a": 1})
with q.run("x") as r:
    c = q.canary(object()); c.run(); c.cancel()
    print(f(), r.log_metrics({"a": 1}))
h = q.run("h").start(); h.end()
print(q.flush(), q.current_run(), q.current_step(), q.stats().written, q.stats().enabled)
undo(); undo()
print(1 + 1)
"""


def test_one_variable_makes_every_call_a_no_op(script, tmp_path):
    done = script(EVERYTHING, QML_DISABLED="1")
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["(False, False) False", "True None None 0 False", "2"]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"QML_TARGET": "amqp://h:1"}, "target 'amqp:...': possible are spool:, spool:/absolute/path, http://host:8765, https://host, kafka://host:9092, mqtt://host:1883, mqtts://host:8883; nothing is recorded"),
        ({"QML_DISABLED": "maybe"}, "QML_DISABLED is 'maybe': use 1 to switch the SDK off, 0 to leave it on; nothing is recorded"),
    ],
)  # fmt: skip
def test_a_wrong_environment_is_one_line_and_the_program_goes_on(script, tmp_path, environment, line):
    done = script(EVERYTHING, **environment)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2")
    assert done.stderr == f"quantum-mlops: {line}\n"
    assert not (tmp_path / "state").exists()


def test_the_same_program_switched_on_records(script, tmp_path):
    done = script(EVERYTHING)
    assert done.returncode == 0
    assert list((tmp_path / "state" / "spool").iterdir())
