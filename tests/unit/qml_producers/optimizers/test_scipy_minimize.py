"""SciPy's `minimize` gives the same under our hooks, and tells its iterations."""

import inspect
import pickle

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import _minimize

from qml_producers.optimizers.descent import Watched
from quantum_mlops.sdk.step import Step
from quantum_mlops.sdk.tally import Counts

pytestmark = [
    pytest.mark.usefixtures("quantum"),
    pytest.mark.filterwarnings("ignore:delta_grad == 0.0:UserWarning"),
]

START = np.array([1.3, 0.7, 0.8])
METHODS = [
    "Nelder-Mead", "Powell", "CG", "BFGS", "L-BFGS-B", "TNC", "COBYLA", "COBYQA", "SLSQP", "trust-constr",
]  # fmt: skip


LIMIT = {"TNC": "maxfun"}


def rosenbrock(x, scale=100.0):
    return float(np.sum(scale * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def slope(x, scale=100.0):
    return scipy.optimize.rosen_der(x)


def plain():
    """SciPy's own `minimize`, whatever stands in its place."""
    return inspect.unwrap(scipy.optimize.minimize)


def bits(value):
    """What a result consists of, to the last bit."""
    if hasattr(value, "todense"):
        value = value.todense()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.shape, value.tobytes()
    return tuple(map(bits, value)) if isinstance(value, list | tuple | np.ndarray) else repr(value)


def same(first, second):
    assert first.keys() == second.keys()
    for name in first.keys() - {"execution_time"}:
        assert bits(first[name]) == bits(second[name]), name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("jac", [None, slope])
def test_every_method_gives_the_same_bits(installed, method, jac, metrics):
    if jac is not None and method in ("Nelder-Mead", "Powell", "COBYLA", "COBYQA"):
        jac = None
    arguments = {"method": method, "jac": jac, "options": {LIMIT.get(method, "maxiter"): 15}, "args": (100.0,)}
    watched = scipy.optimize.minimize(rosenbrock, START, **arguments)
    bare = plain()(rosenbrock, START, **arguments)
    same(watched, bare)
    told = metrics()
    losses = [data.values["loss"] for _, data in told if "loss" in data.values]
    assert [step for step, _ in told] == list(range(len(told)))
    assert losses[-1] <= losses[0]
    assert len(losses) >= len(told) - 1  # a gradient after the last iteration has no loss
    assert watched.nfev == sum(data.values["evaluations"] for _, data in told if "evaluations" in data.values)
    if jac is not None:
        assert all(data.gradient.size == 3 and data.gradient.norm > 0 for _, data in told if data.gradient is not None)
        assert any(data.gradient is not None for _, data in told)


def test_the_loss_is_the_functions_own_value_at_each_iteration(installed, metrics):
    visited = []
    scipy.optimize.minimize(rosenbrock, START, method="BFGS", callback=lambda xk: visited.append(xk.copy()))
    assert [data.values["loss"] for _, data in metrics()][: len(visited)] == [rosenbrock(x) for x in visited]


@pytest.mark.parametrize("method", METHODS)
def test_both_signatures_of_the_users_callback_are_called_as_before(installed, method):
    def points(minimize):
        by_point, by_result = [], []
        minimize(
            rosenbrock,
            START,
            method=method,
            options={LIMIT.get(method, "maxiter"): 5},
            callback=lambda xk, *_: by_point.append(np.copy(xk)),
        )

        def callback(*, intermediate_result):
            by_result.append((np.copy(intermediate_result.x), intermediate_result.fun))

        if method not in ("TNC", "COBYLA", "COBYQA"):
            minimize(rosenbrock, START, method=method, options={LIMIT.get(method, "maxiter"): 5}, callback=callback)
        return [repr(each) for each in (by_point, by_result)]

    assert points(scipy.optimize.minimize) == points(plain())


def test_stop_iteration_of_the_callback_stops_as_before(installed, metrics):
    def callback(intermediate_result):
        raise StopIteration

    watched = scipy.optimize.minimize(rosenbrock, START, callback=callback)
    bare = plain()(rosenbrock, START, callback=callback)
    same(watched, bare)
    assert (watched.nit, watched.status) == (1, 99)
    assert len(metrics()) >= 1


def test_a_function_that_gives_its_gradient_too_is_watched(installed, metrics):
    def both(x):
        return rosenbrock(x), slope(x)

    same(scipy.optimize.minimize(both, START, jac=True), plain()(both, START, jac=True))
    _, first = metrics()[0]
    assert first.gradient.norm == pytest.approx(np.linalg.norm(slope(START)), rel=10)
    assert first.values["evaluations"] >= 1


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((rosenbrock,), {}),
        ((rosenbrock, START), {"method": "no such method"}),
        ((rosenbrock, START), {"callback": 5}),
        ((rosenbrock, [[1.0, 2.0]]), {}),
        ((None, START), {}),
        ((rosenbrock, START), {"nonsense": 1}),
        ((lambda x: 1 / 0, START), {}),
        ((lambda x: "high", START), {}),
    ],
)
def test_what_scipy_refuses_it_refuses_in_the_same_words(installed, arguments, keywords):
    errors = []
    for minimize in (scipy.optimize.minimize, plain()):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it is the same
            minimize(*arguments, **keywords)
        errors.append((type(caught.value), str(caught.value)))
    assert errors[0] == errors[1]


def test_a_loss_that_is_not_finite_is_told_in_its_own_evaluation(installed, recorder, metrics):
    seen = []

    def function(x):
        if len(seen) == 5:
            assert any("loss" in data.nonfinite for _, data in metrics())
        seen.append(x)
        return float("nan") if len(seen) == 5 else rosenbrock(x)

    scipy.optimize.minimize(function, START, method="Nelder-Mead", options={"maxiter": 10})
    assert [data.nonfinite for _, data in metrics() if data.nonfinite] == [{"loss": "nan"}]


def test_executions_stand_beside_those_of_forward_differences(installed, recorder, metrics):
    with recorder.run("r") as run:

        def function(x):
            run.steps.counted = True
            run.steps.tally.add(Counts(jobs=1, executions=4, shots=4000))
            return float(np.sum(x**2))

        scipy.optimize.minimize(function, START, method="L-BFGS-B", options={"maxiter": 1})
    _, first = metrics()[0]
    assert first.values["executions"] == 4 * first.values["evaluations"]
    assert first.values["executions_expected"] == 4 * (1 + 3)


def test_the_users_step_is_left_alone(installed, recorder, metrics):
    with recorder.run("r") as run, Step(recorder, run) as at:
        scipy.optimize.minimize(rosenbrock, START)
        at.log(loss=1.0)
        assert run.step == at.number == 0
    assert [(step, data.values) for step, data in metrics()] == [(0, {"loss": 1.0})]


def test_a_loss_that_the_user_logs_is_not_logged_twice(installed, recorder, metrics):
    with recorder.run("r"):
        scipy.optimize.minimize(
            rosenbrock, START, callback=lambda xk: recorder.log_metrics({"loss": 7.0}), options={"maxiter": 3}
        )
    told = [data.values for _, data in metrics()]
    assert [values["loss"] for values in told if "loss" in values] == [7.0] * 3
    assert len([values for values in told if "evaluations" in values]) == 3


def test_a_step_that_the_user_ended_is_not_told_again(installed, recorder, metrics):
    from quantum_mlops.sdk.expectation import Expectation
    from quantum_mlops.sdk.step import take_step

    with recorder.run("r"):
        scipy.optimize.minimize(
            rosenbrock,
            START,
            callback=lambda xk: take_step(recorder, None, {"loss": 7.0}, None, Expectation()),
            options={"maxiter": 3},
        )
    assert [(step, data.values["loss"]) for step, data in metrics()] == [(0, 7.0), (1, 7.0), (2, 7.0)]


def test_a_minimization_inside_another_is_a_part_of_it(installed, recorder, metrics):
    def outer(x):
        return scipy.optimize.minimize(
            lambda y: float(np.sum((y - x) ** 2)), START, options={"maxiter": 2}
        ).fun + rosenbrock(x)

    result = scipy.optimize.minimize(outer, START, options={"maxiter": 2})
    assert sum(data.values["evaluations"] for _, data in metrics()) == result.nfev


def test_a_method_of_the_users_own_gets_what_the_user_gave(installed, metrics):
    given = {}

    def method(fun, x0, args=(), **options):
        given.update(options)
        return scipy.optimize.OptimizeResult(x=x0, fun=fun(x0, *args))

    assert scipy.optimize.minimize(rosenbrock, START, method=method).fun == rosenbrock(START)
    assert given["callback"] is None
    assert [data.values["loss"] for _, data in metrics()] == [rosenbrock(START)]


def test_fixed_bounds_print_nothing(installed, capsys):
    bounds = [(1.0, 1.0), (None, None), (None, None)]
    scipy.optimize.minimize(rosenbrock, START, bounds=bounds, options={"maxiter": 2})
    assert capsys.readouterr().out == ""


def test_a_watched_function_pickles_as_itself():
    watched = Watched(rosenbrock, lambda _: None, lambda *_: None)
    assert pickle.loads(pickle.dumps(watched)) is rosenbrock  # noqa: S301


def test_undoing_puts_back_what_stood_there_and_the_function_pickles(recorder):
    from qml_producers.optimizers.instrumentation import OptimizersInstrumentation

    before = (scipy.optimize.minimize, _minimize.minimize)
    undo = OptimizersInstrumentation().install(recorder, scipy.optimize)
    kept = scipy.optimize.minimize
    assert kept is _minimize.minimize is not before[0]
    assert inspect.signature(kept) == inspect.signature(before[0])
    assert pickle.loads(pickle.dumps(kept)) is kept  # noqa: S301
    undo()
    undo()
    assert (scipy.optimize.minimize, _minimize.minimize) == before
    kept(rosenbrock, START, options={"maxiter": 1})
    assert recorder.stats().written == recorder.stats().queued == 0


def test_one_function_is_watched_without_hooks(recorder, metrics):
    from qml_producers.optimizers.instrumentation import OptimizersInstrumentation

    watched = OptimizersInstrumentation().wrap(recorder, scipy.optimize.minimize)
    assert OptimizersInstrumentation().wrap(recorder, scipy.optimize.root) is None
    assert OptimizersInstrumentation().wrap(recorder, object()) is None
    watched(rosenbrock, START, options={"maxiter": 2})
    assert len(metrics()) == 2


def test_a_method_of_the_users_own_may_name_the_point(installed, recorder):
    def method(fun, x0, args=(), **_options):
        return scipy.optimize.OptimizeResult(x=x0, fun=fun(x=x0, scale=1.0), success=True)

    with recorder.run("r"):
        found = scipy.optimize.minimize(rosenbrock, START, method=method)
    assert found.fun == rosenbrock(START, 1.0)
