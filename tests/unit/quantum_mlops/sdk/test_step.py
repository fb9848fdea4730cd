import threading

import pytest

from quantum_mlops.events import GradientStatistics, Money
from quantum_mlops.sdk import default
from quantum_mlops.sdk.expectation import THEORIES, Expectation, expected_executions
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.sdk.step import Step, named, take_step
from quantum_mlops.sdk.tally import Counts
from quantum_mlops.testing.conformance.child import run_in_child


@pytest.fixture
def step(recorder):
    """`quantum_mlops.step` on a recorder of its own."""

    def take(number=None, *, loss=None, gradient=None, parameters=None, method="parameter-shift", circuits=1, **values):
        return take_step(recorder, number, named(loss, values), gradient, Expectation(parameters, method, circuits))

    return take


def submit(run, executions, shots=0):
    """Count a job of the run, as an instrumentation does."""
    run.steps.counted = True
    run.steps.tally.add(Counts(jobs=1, executions=executions, shots=shots))


def metrics(written):
    return [(event.context.step, event.data) for event in written("metric.logged")]


def test_steps_count_from_nought_and_jobs_carry_them(recorder, step):
    with recorder.run("r") as run:
        assert [step().number for _ in range(3)] == [0, 1, 2]
        assert run.step == 2


def test_a_step_may_be_given_and_counting_goes_on_from_it(recorder, step):
    with recorder.run("r"):
        assert [step(7).number, step().number, step(3).number, step().number] == [7, 8, 3, 4]


def test_the_step_that_the_user_set_is_the_one_at_hand(recorder, step):
    with recorder.run("r") as run:
        run.step = 5
        with step() as first:
            assert first.number == 5
        with step() as second:
            assert second.number == 6


def test_a_plain_call_ends_the_step_at_hand_and_the_next_job_carries_the_next(recorder, step, written):
    with recorder.run("r") as run:
        for _ in range(3):
            step(loss=0.5)
        assert run.step == 3
    assert [number for number, _ in metrics(written)] == [0, 1, 2]


def test_a_loop_may_begin_a_step_and_end_it_by_what_it_gave(recorder, step, written):
    with recorder.run("r"):
        for _ in range(2):
            step()
            step(loss=0.5)
    assert [(number, data.values) for number, data in metrics(written)] == [(0, {"loss": 0.5}), (1, {"loss": 0.5})]


def test_what_was_submitted_in_a_step_is_told_beside_what_was_to_be_expected(recorder, step, written):
    with recorder.run("r") as run:
        submit(run, 99)  # before the step
        with step(parameters=8):
            submit(run, 10, 1000)
            submit(run, 6, 600)
    ((number, data),) = metrics(written)
    assert number == 0
    assert data.values == {"executions": 16, "executions_expected": 16, "jobs": 2, "shots": 1600}


def test_a_step_that_took_fewer_executions_than_its_method_shows_both(recorder, step, written):
    with recorder.run("r") as run:
        for executions in (16, 2):
            submit(run, executions)
            step(loss=1.0, parameters=8)
    assert [(data.values["executions"], data.values["executions_expected"]) for _, data in metrics(written)] == [
        (16, 16),
        (2, 16),
    ]


def test_without_a_watched_job_no_number_of_executions_is_claimed(recorder, step, written):
    with recorder.run("r"):
        step(loss=1.0, parameters=8)
    ((_, data),) = metrics(written)
    assert data.values == {"loss": 1.0, "executions_expected": 16}


def test_costs_of_two_currencies_stay_apart_and_jobs_without_a_price_are_told(recorder, step, written):
    with recorder.run("r") as run, step():
        for amount, currency in (("0.10", "USD"), ("0.20", "USD"), ("1.5", "EUR")):
            submit(run, 1)
            run.steps.tally.add_cost(Money(amount=amount, currency=currency))
        submit(run, 1)
    ((_, data),) = metrics(written)
    assert data.values == {
        "executions": 4, "jobs": 4, "cost_estimated_usd": 0.3, "cost_estimated_eur": 1.5, "jobs_unpriced": 1,
    }  # fmt: skip


def test_a_loss_that_is_no_number_is_told_before_the_step_ends(recorder, step, spool):
    from quantum_mlops.spool.reader import read_folder

    with recorder.run("r"), step() as at:
        assert at.log(loss=float("nan"))
        assert recorder.flush(10)
        (told,) = [event for event in read_folder(spool) if event.type == "quantum_mlops.metric.logged.v1"]
        assert told.data.nonfinite == {"loss": "nan"}


def test_the_gradient_is_reduced_and_the_users_array_may_change_at_once(recorder, step, written):
    numpy = pytest.importorskip("numpy")
    gradient = numpy.array([3.0, 4.0])
    with recorder.run("r"), step() as at:
        at.log(gradient=gradient)
        gradient[:] = 0.0
    ((_, data),) = metrics(written)
    assert data.gradient == GradientStatistics(size=2, norm=5.0, mean=3.5, variance=0.25, max_abs=4.0)


def test_statistics_are_taken_as_they_are(recorder, step, written):
    known = GradientStatistics(size=10**7, norm=2.0)
    with recorder.run("r"):
        step(gradient=known)
    ((_, data),) = metrics(written)
    assert data.gradient == known


def test_a_gradient_that_is_not_finite_is_named(recorder, step, written):
    with recorder.run("r"):
        step(loss=1.0, gradient=[1.0, float("nan")])
    ((_, data),) = metrics(written)
    assert (data.gradient, data.nonfinite) == (GradientStatistics(size=2), {"gradient_norm": "nan"})


class Hostile:
    """Raises at whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "given",
    [
        {"number": "three"}, {"gradient": Hostile()}, {"gradient": 1j}, {"loss": "low"}, {"loss": Hostile()},
        {"parameters": Hostile()}, {"parameters": 8, "method": "by hand"}, {"circuits": None, "parameters": 3},
        {"method": None, "loss": 1.0}, {"gradient": [[[[[[[[[[1.0]]]]]]]]]]},
    ],
)  # fmt: skip
def test_nothing_that_is_given_raises(recorder, step, given, capsys):
    with recorder.run("r"):
        number = given.pop("number", None)
        assert step(number, **given).number == 0
        assert step(loss=0.5).run.step is not None
    assert "quantum-mlops: " in capsys.readouterr().err


def test_an_exception_in_the_step_passes_and_the_step_is_told(recorder, step, written):
    def train(run):
        with step(parameters=1):
            submit(run, 1)
            raise KeyError("the user's")

    with recorder.run("r") as run, pytest.raises(KeyError, match="the user's"):
        train(run)
    ((_, data),) = metrics(written)
    assert data.values["executions"] == 1


def test_steps_do_not_nest_and_an_end_counts_once(recorder, step, written):
    with recorder.run("r") as run, step() as outer:
        submit(run, 1)
        with step() as inner:
            submit(run, 2)
        assert not outer.end(loss=1.0)
        assert (outer.number, inner.number) == (0, 1)
    assert [data.values["executions"] for _, data in metrics(written)] == [1, 2]


def test_a_dropped_step_leaves_the_one_before_it(recorder, step, written):
    with recorder.run("r") as run:
        with step():
            pass
        began = step()
        assert run.step == 1
        began.drop()
        assert (run.step, began.is_open) == (0, False)


def test_outside_any_run_steps_belong_to_the_implicit_one(recorder, step, written):
    step(loss=1.0)
    step(loss=2.0)
    assert [(event.context.step, event.context.runid is None) for event in written("metric.logged")] == [
        (0, False),
        (1, False),
    ]


def test_counts_of_many_threads_add_up(recorder, step, written):
    with recorder.run("r") as run, step():
        threads = [threading.Thread(target=lambda: [submit(run, 1, 10) for _ in range(500)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ((_, data),) = metrics(written)
    assert data.values == {"executions": 4000, "jobs": 4000, "shots": 40000}


def test_a_disabled_recorder_counts_steps_and_tells_nothing(tmp_path):
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), enabled=False))
    numbers = [take_step(recorder, None, {"loss": 1.0}, None, Expectation()).number for _ in range(2)]
    assert numbers == [0, 1]
    assert not (tmp_path / "spool").exists()


def test_the_public_function_is_on_the_default_recorder(monkeypatch, recorder, written):
    monkeypatch.setattr(default, "recorder", recorder)
    with recorder.run("r"):
        with default.step(parameters=[0.1, 0.2]) as at:
            assert isinstance(at, Step)
            assert default.current_step() == 0
        default.step(loss=1.0, accuracy=0.9)
    assert [data.values for _, data in metrics(written)] == [{"executions_expected": 4}, {"loss": 1.0, "accuracy": 0.9}]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("parameter-shift", 20), ("param_shift", 20), ("SPSA", 2), ("adjoint", 1), ("reverse", 1), ("backprop", 1),
        ("finite-diff", 11), ("finite_diff_central", 20), ("lin_comb", 10), ("qnspsa", 6), ("evaluation", 1),
    ],
)  # fmt: skip
def test_every_method_has_its_number_of_executions(method, expected):
    assert expected_executions(method, 10) == expected
    assert expected_executions(method, 10, 5) == 5 * expected


def test_every_theory_names_its_source():
    assert all(theory.source for theory in THEORIES.values())


def test_the_loss_goes_where_the_gradient_has_no_room(recorder, step, written, monkeypatch, capsys):
    monkeypatch.setattr("quantum_mlops.sdk.recorder.QUEUE_BYTES", 4096)
    with recorder.run("r"):
        step(loss=float("nan"), gradient=[1.0] * 1000)
    ((_, data),) = metrics(written)
    assert (data.nonfinite, data.gradient) == ({"loss": "nan"}, None)
    assert recorder.stats().reasons == {"queue_full": 1}
    capsys.readouterr()


def test_the_end_of_a_run_ends_its_last_step(recorder, step, written):
    with recorder.run("r") as run:
        for _ in range(2):
            step()
            submit(run, 3)
    told = metrics(written)
    assert [(number, data.values["executions"]) for number, data in told] == [(0, 3), (1, 3)]
    assert max(event.time for event in written("metric.logged")) <= written("run.ended")[0].time


def test_a_run_that_begins_anew_counts_from_nought(recorder, step):
    run = recorder.run("r").start()
    step(loss=1.0)
    run.end()
    run.start()
    assert run.step is None
    assert step().number == 0
    run.end()


def test_a_forked_child_leaves_what_was_submitted_to_its_parent(recorder, step, spool, written):
    with recorder.run("r") as run, step():
        submit(run, 4)

        def go_on():
            run.steps.end()
            recorder.log_metrics({"child": 1.0})
            recorder.close()

        run_in_child(go_on)
    told = [data.values for _, data in metrics(written)]
    assert sorted(told, key=len) == [{"child": 1.0}, {"executions": 4.0, "jobs": 1.0}]


@pytest.mark.parametrize("odd", ["epoch-1", 3.5, object(), -4])
def test_what_the_user_sets_as_step_may_be_no_number(recorder, step, odd):
    with recorder.run("r") as run:
        step(loss=0.5)
        run.step = odd
        assert step(loss=0.4).number == 1
        run.step = odd
        with step() as begun:
            assert begun.number == 2


def test_a_gradient_that_is_gone_when_it_is_read_costs_the_gradient_alone(recorder, step, written, monkeypatch):
    def gone(_gradient):
        raise RuntimeError("Array has been deleted")

    monkeypatch.setattr("quantum_mlops.sdk.step._statistics", gone)
    with recorder.run("r"):
        assert not step(loss=0.5, gradient=[1.0]).is_open
    ((number, data),) = metrics(written)
    assert (number, data.values["loss"], data.gradient) == (0, 0.5, None)
    assert recorder.stats().reasons == {"invalid": 1}
