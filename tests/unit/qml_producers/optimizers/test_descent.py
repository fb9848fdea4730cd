"""What a minimization tells, where its function runs jobs, and where it does not."""

import numpy as np
import pytest
import scipy.optimize

from qml_producers.optimizers.descent import Descent, Plan
from qml_producers.optimizers.points import Points, key_of
from quantum_mlops.sdk.tally import Counts
from quantum_mlops.testing.conformance.child import run_in_child

START = np.array([0.3, 0.4])


def bowl(x):
    return float(np.sum(np.square(x)))


def running(recorder, function, every=1):
    """The function, of which every so-many-th evaluation runs a job."""
    calls = []

    def run(x):
        calls.append(x)
        if len(calls) % every == 0:
            current = recorder.runs.current()
            current.steps.counted = True
            current.steps.tally.add(Counts(jobs=1, executions=8))
        return function(x)

    return run


def test_a_fit_without_jobs_is_not_told_and_leaves_the_step(installed, recorder, metrics):
    with recorder.run("r") as run:
        run.step = 5
        scipy.optimize.minimize(bowl, START)
        assert (run.step, run.steps.open) == (5, None)
        scipy.optimize.minimize(lambda x: float("nan"), START, method="Nelder-Mead", options={"maxiter": 3})
    assert metrics() == []


def test_a_function_that_never_runs_a_job_is_given_up(recorder):
    with recorder.run("r") as run:
        descent = Descent(recorder, 2, Plan(1), "moves")
        watched = []
        for _ in range(66):
            before = descent.evaluating(START)
            watched.append(before is not None)
            descent.evaluated(before, 1.0)
        assert watched == [True] * 64 + [False] * 2
        assert (run.step, run.steps.open) == (None, None)


def test_from_the_first_job_on_everything_is_told(installed, recorder, metrics):
    with recorder.run("r"):
        scipy.optimize.minimize(running(recorder, bowl, every=7), START, method="COBYLA", options={"maxiter": 20})
    told = metrics()
    assert [step for step, _ in told] == list(range(len(told)))
    assert len(told) > 5


def test_jobs_carry_the_step_of_their_iteration(installed, recorder):
    steps = []

    def function(x):
        steps.append(recorder.current_run().step)
        return running(recorder, bowl)(x)

    with recorder.run("r") as run:
        scipy.optimize.minimize(function, START, method="BFGS", jac=lambda x: 2 * x)
        assert steps[0] == 0
        assert steps == sorted(steps)
        assert run.step == steps[-1]


def test_a_second_minimization_goes_on_counting(installed, recorder, metrics):
    with recorder.run("r"):
        for _ in range(2):
            scipy.optimize.minimize(running(recorder, bowl), START, method="BFGS", jac=lambda x: 2 * x)
    told = [step for step, _ in metrics()]
    assert told == list(range(len(told)))


def test_an_exception_of_the_function_passes_and_what_came_before_is_told(installed, recorder, metrics):
    inner = running(recorder, bowl)

    def breaking(x):
        value = inner(x)
        if value < 0.2:
            raise KeyError("the user's")
        return value

    with recorder.run("r") as run:
        with pytest.raises(KeyError, match="the user's"):
            scipy.optimize.minimize(breaking, START, method="COBYLA", options={"rhobeg": 0.1})
        assert run.steps.open is None
    assert metrics()


def test_a_forked_child_tells_nothing_of_its_parents_minimization(recorder, metrics):
    with recorder.run("r"):
        descent = Descent(recorder, 2, Plan(1), "evaluations")

        def evaluate():
            before = descent.evaluating(START)
            descent.evaluated(before, 1.0)
            return before

        assert run_in_child(evaluate) is None


def test_an_error_of_ours_is_counted_and_not_raised(recorder, capsys):
    class Hostile:
        def __array__(self, *args, **kwargs):
            raise RuntimeError("no array")

    with recorder.run("r"):
        descent = Descent(recorder, 2, Plan(1), "moves")
        assert descent.evaluating(Hostile()) is None
        descent.evaluated(None, 1.0)
        descent.moved(Hostile())
        descent.finish()
    assert recorder.stats().reasons == {"instrumentation_failed": 2}
    capsys.readouterr()


def test_points_are_found_by_their_numbers_and_the_oldest_are_forgotten():
    points = Points()
    points.remember(key_of([1, 2]), 0.5)
    assert points.recall(key_of(np.array([1.0, 2.0]))) == 0.5
    for number in range(512):
        points.remember(key_of([number, 0.5]), float(number))
    assert points.recall(key_of([1, 2])) is None
    assert points.recall(key_of([511, 0.5])) == 511.0


def test_a_name_that_has_no_text_is_no_error_of_the_users(recorder):
    class Name:
        def __str__(self):
            raise RuntimeError("no words")

    with recorder.run("r"):
        Descent(recorder, 2, Plan(), "moves").heard({Name(): 1.0})
    assert recorder.stats().reasons == {"instrumentation_failed": 1}


def test_an_iteration_that_never_ends_keeps_no_more_than_its_last_points(recorder):
    with recorder.run("r") as run:
        descent = Descent(recorder, 1, Plan(), "moves")
        function = running(recorder, lambda _: 0.5)
        for number in range(2000):
            point = np.array([float(number)])
            descent.evaluated(descent.evaluating(point), function(point))
        held = [value for value in vars(descent).values() if isinstance(value, (list, dict, tuple))]
        assert all(len(value) < 600 for value in held)
        assert len(descent._points._values) <= 512
        assert run.steps.open is not None
        descent.finish()
