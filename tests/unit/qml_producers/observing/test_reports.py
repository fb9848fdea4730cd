import threading

import pytest

from qml_producers.observing.reports import Reports
from quantum_mlops.events import Money
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.sdk.step import Step
from quantum_mlops.sdk.tally import Counts


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="p"))
    yield recorder
    recorder.close()


@pytest.fixture
def reports(recorder):
    return Reports(recorder)


def test_what_a_call_counts_belongs_to_the_step_in_which_it_was_made(recorder, reports):
    with recorder.run("r") as run:
        with Step(recorder, run) as first:
            call = reports.begin()
        with Step(recorder, run) as second:
            thread = threading.Thread(target=call.count, args=(16, 1600))  # a job's own thread, later
            thread.start()
            thread.join()
            call.expect(20)
            call.price(Money(amount="0.30", currency="USD"))
            call.price(None)
    assert first.tally.total()[:5] == (1, 16, 1600, 20, 1)
    assert second.tally.total() == Counts()


def test_a_call_outside_any_run_counts_for_the_implicit_one(recorder, reports):
    reports.begin().count(3)
    run = recorder.runs.implicit(recorder)
    assert (run.steps.tally.total().executions, run.steps.counted) == (3, True)


def test_an_error_of_ours_while_counting_is_counted_and_not_raised(recorder, reports, capsys):
    with recorder.run("r"):
        reports.begin().price("free")
    assert recorder.stats().reasons == {"instrumentation_failed": 1}
    assert "metric.logged" in capsys.readouterr().err
