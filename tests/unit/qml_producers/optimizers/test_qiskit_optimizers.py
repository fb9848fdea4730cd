"""The optimizers of qiskit-algorithms and qiskit-machine-learning give the same under our hooks, and tell their iterations."""

import sys

import numpy as np
import pytest
import qiskit_algorithms
import qiskit_algorithms.optimizers as algorithms
import qiskit_machine_learning.optimizers as learning
import qiskit_machine_learning.utils

from qml_producers.optimizers.instrumentation import OptimizersInstrumentation
from quantum_mlops.sdk.tally import Counts

pytestmark = [
    pytest.mark.usefixtures("quantum"),
    pytest.mark.filterwarnings("ignore:scipy.optimize. The `disp` and `iprint` options:DeprecationWarning"),
]

START = np.array([0.4, -0.9, 1.3])
PACKAGES = {"algorithms": algorithms, "learning": learning}
MAKERS = {
    "SPSA": lambda package: package.SPSA(maxiter=6),
    "SPSA, blocking": lambda package: package.SPSA(maxiter=6, blocking=True),
    "SPSA, second order": lambda package: package.SPSA(
        maxiter=4, second_order=True, learning_rate=0.1, perturbation=0.1
    ),
    "QNSPSA": lambda package: package.QNSPSA(lambda x, y: 1 - 0.1 * np.sum((x - y) ** 2, axis=-1), maxiter=4),
    "ADAM": lambda package: package.ADAM(maxiter=6, lr=0.1),
    "GradientDescent": lambda package: package.GradientDescent(maxiter=6, learning_rate=0.1),
    "AQGD": lambda package: package.AQGD(maxiter=6, eta=0.2, momentum=0.1),
    "COBYLA": lambda package: package.COBYLA(maxiter=12),
    "L_BFGS_B": lambda package: package.L_BFGS_B(maxiter=4),
    "NFT": lambda package: package.NFT(maxiter=4),
    "GSLS": lambda package: package.GSLS(maxiter=3),
    "UMDA": lambda package: package.UMDA(maxiter=3, size_gen=20),
}


def loss(x):
    return float(np.sum(1 - np.cos(x)))


def slope(x):
    return np.sin(x)


def seed():
    qiskit_algorithms.utils.algorithm_globals.random_seed = 7
    qiskit_machine_learning.utils.algorithm_globals.random_seed = 7


def minimized(make, jac=None):
    """The result, and every point at which the function was evaluated."""
    seed()
    visited = []

    def function(x):
        visited.append(np.array(x).tobytes())
        values = [loss(point) for point in np.reshape(x, (-1, START.size))]
        return values[0] if len(values) == 1 else values

    result = make().minimize(function, START.copy(), jac=jac)
    return result.x.tobytes(), result.fun, result.nfev, result.nit, visited


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("name", MAKERS)
def test_every_optimizer_gives_the_same_bits(recorder, metrics, package, name):
    def make():
        return MAKERS[name](PACKAGES[package])

    bare = minimized(make)
    instrumentation = OptimizersInstrumentation()
    undos = [instrumentation.install(recorder, sys.modules[module]) for module in instrumentation.modules]
    try:
        watched = minimized(make)
    finally:
        for undo in undos:
            undo()
    assert watched == bare
    told = metrics()
    assert [step for step, _ in told] == list(range(len(told)))
    assert all("loss" in data.values for _, data in told)
    visited = watched[-1]
    assert sum(data.values.get("evaluations", 0) for _, data in told) == sum(
        len(point) // START.nbytes for point in visited
    )
    assert recorder.stats().reasons == {}


@pytest.mark.parametrize("package", PACKAGES.values())
def test_spsa_tells_its_own_estimate_of_loss_and_gradient(installed, metrics, package):
    seed()
    package.SPSA(maxiter=3, learning_rate=0.1, perturbation=0.2).minimize(loss, START)
    told = [data for _, data in metrics()]
    assert [data.values["evaluations"] for data in told] == [2, 2, 3]  # the last one's result
    assert all(data.gradient.size == 3 and data.gradient.norm > 0 for data in told)


def test_no_callback_is_added_and_the_users_is_kept(installed, metrics):
    seen = []
    algorithms.SPSA(
        maxiter=3, learning_rate=0.1, perturbation=0.2, callback=lambda *given: seen.append(given)
    ).minimize(loss, START)
    told = [data for _, data in metrics()]
    assert [data.values["evaluations"] for data in told] == [3, 3, 4]
    assert len(seen) == 3
    assert [data.values["loss"] for data in told][1:] == [value for _, _, value, _, _ in seen][:-1]


def test_gradients_of_the_users_own_function_are_told(installed, metrics):
    algorithms.GradientDescent(maxiter=4, learning_rate=0.1).minimize(loss, START, jac=slope)
    told = [data for _, data in metrics()]
    assert told[0].gradient.norm == pytest.approx(np.linalg.norm(slope(START)))
    assert [data.gradient.norm for data in told] == sorted((data.gradient.norm for data in told), reverse=True)
    assert "loss" not in told[0].values  # it was not evaluated: none is claimed


def test_finite_differences_give_loss_and_gradient_at_the_point(installed, metrics):
    algorithms.ADAM(maxiter=3, lr=0.1).minimize(loss, START)
    told = [data for _, data in metrics()]
    assert told[0].values["loss"] == loss(START)
    assert [data.values["evaluations"] for data in told] == [4, 4, 5]


def executed(recorder, executions):
    """A function of which each point takes so many executions."""
    run = recorder.runs.current()

    def function(x):
        points = np.size(x) // START.size
        run.steps.counted = True
        run.steps.tally.add(Counts(jobs=1, executions=executions * points))
        values = [loss(point) for point in np.reshape(x, (-1, START.size))]
        return values[0] if points == 1 else values

    return function


@pytest.mark.parametrize(
    "make",
    [
        lambda: algorithms.SPSA(maxiter=3),
        lambda: algorithms.SPSA(maxiter=3, blocking=True, resamplings=2),
        lambda: algorithms.SPSA(maxiter=3, blocking=True, allowed_increase=0.1, perturbation=0.1, learning_rate=0.1),
        lambda: algorithms.SPSA(maxiter=3, second_order=True, callback=lambda *_: None),
        lambda: learning.ADAM(maxiter=3),
        lambda: learning.GradientDescent(maxiter=3, callback=lambda *_: None),
        lambda: learning.AQGD(maxiter=3),
    ],
)
def test_what_an_optimizer_executes_is_what_its_method_should_take(installed, recorder, metrics, make):
    seed()
    with recorder.run("r"):
        make().minimize(executed(recorder, 5), START)
    told = [data.values for _, data in metrics()]
    assert len(told) == 3
    if not isinstance(make(), learning.AQGD):
        assert [values["executions"] for values in told] == [values["executions_expected"] for values in told]
    assert told[1]["executions"] == told[1]["executions_expected"]


def test_an_optimizer_whose_executions_a_cache_saved_shows_it(installed, recorder, metrics):
    with recorder.run("r") as run:
        known = {}

        def function(x):
            if len(known) < 4:
                run.steps.counted = True
                run.steps.tally.add(Counts(jobs=1, executions=5))
            return known.setdefault(x.tobytes(), loss(x))

        algorithms.SPSA(maxiter=4, learning_rate=0.0, perturbation=0.2).minimize(function, START)
    told = [data.values for _, data in metrics()]
    assert [values["executions_expected"] for values in told][:3] == [10, 10, 10]
    assert told[2]["executions"] < 10


@pytest.mark.parametrize("bad", [{}, {"fun": loss}, {"fun": loss, "x0": START, "nonsense": 1}])
def test_what_an_optimizer_refuses_it_refuses_in_the_same_words(recorder, bad):
    with pytest.raises(TypeError) as bare:
        algorithms.SPSA().minimize(**bad)
    undo = OptimizersInstrumentation().install(recorder, algorithms)
    with pytest.raises(TypeError) as watched:
        algorithms.SPSA().minimize(**bad)
    undo()
    assert str(watched.value) == str(bare.value)


@pytest.mark.parametrize("name", ["qiskit_algorithms.optimizers", "qiskit_machine_learning.optimizers"])
def test_undoing_leaves_every_attribute_as_it_was(recorder, name):
    module = sys.modules[name]
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type)]
    owners = {base for kind in kinds for base in kind.__mro__[:-1]} | {module, sys.modules[f"{name}.scipy_optimizer"]}
    before = {owner: dict(vars(owner)) for owner in owners}
    undo = OptimizersInstrumentation().install(recorder, module)
    assert any(dict(vars(owner)) != before[owner] for owner in owners)
    undo()
    undo()
    assert all(vars(owner).get(key) is value for owner in owners for key, value in before[owner].items())


def test_the_gradient_of_a_second_order_method_is_not_its_step(installed, metrics):
    seed()
    optimizer = algorithms.SPSA(maxiter=4, second_order=True, learning_rate=0.1, perturbation=1e-3, resamplings=200)
    optimizer.minimize(loss, START)
    assert metrics()[0][1].gradient.norm == pytest.approx(np.linalg.norm(slope(START)), rel=0.3)
    assert metrics()[0][1].gradient.size == 3
