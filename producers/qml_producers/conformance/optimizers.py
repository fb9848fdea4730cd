"""Minimizations by SciPy, qiskit-algorithms and qiskit-machine-learning, of an exact expectation value."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.optimize
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.primitives import StatevectorEstimator
from qiskit.quantum_info import SparsePauliOp
from qiskit_algorithms import optimizers as algorithms
from qiskit_machine_learning import optimizers as learning

from quantum_mlops.testing.conformance import Subject

_PACKAGES = ("scipy", "qiskit_algorithms", "qiskit_machine_learning")
_ITERATIONS = 3


def subjects() -> list[Subject]:
    """Return one of each way in which an iteration ends."""
    return [_scipy("BFGS"), _scipy("COBYLA")] + [
        _qiskit(name, make)
        for name, make in {
            "qiskit-algorithms GradientDescent": lambda: algorithms.GradientDescent(_ITERATIONS, learning_rate=0.1),
            "qiskit-algorithms COBYLA": lambda: algorithms.COBYLA(maxiter=_ITERATIONS),
            "qiskit-machine-learning ADAM": lambda: learning.ADAM(maxiter=_ITERATIONS),
            "qiskit-machine-learning AQGD": lambda: learning.AQGD(maxiter=_ITERATIONS),
        }.items()
    ]


def _scipy(method: str) -> Subject:
    def minimize_by(minimize: Callable[..., Any], energy: _Energy) -> Any:
        return minimize(energy, _start(), method=method, options={"maxiter": _ITERATIONS})

    return Subject(
        name=f"scipy {method}",
        instrumentation="optimizers",
        packages=_PACKAGES,
        make=lambda: scipy.optimize.minimize,
        submit=lambda minimize: minimize_by(minimize, _Energy()),
        read=_read,
        jobs=_evaluations(lambda energy: minimize_by(scipy.optimize.minimize, energy)),
        mistakes={
            "no start": lambda minimize: minimize(_Energy()),
            "no function": lambda minimize: minimize(None, _start(), method=method),
            "unknown method": lambda minimize: minimize(_Energy(), _start(), method="no such method"),
            "no callback": lambda minimize: minimize(_Energy(), _start(), callback=5),
        },
    )


def _qiskit(name: str, make: Callable[[], Any]) -> Subject:
    return Subject(
        name=name,
        instrumentation="optimizers",
        packages=_PACKAGES,
        make=make,
        submit=lambda optimizer: optimizer.minimize(_Energy(), _start()),
        read=_read,
        jobs=_evaluations(lambda energy: make().minimize(energy, _start())),
        mistakes={
            "no start": lambda optimizer: optimizer.minimize(_Energy()),
            "no function": lambda optimizer: optimizer.minimize(None, _start()),
        },
    )


def _start() -> Any:
    """Return a new array: some optimizers go on in the one that they get."""
    return np.array([0.4])


class _Energy:
    """One job an evaluation; of several points at once, as many."""

    def __init__(self) -> None:
        theta = Parameter("theta")
        self._circuit = QuantumCircuit(1)
        self._circuit.ry(theta, 0)
        self._estimator = StatevectorEstimator()
        self.evaluations = 0

    def __call__(self, point: Any) -> Any:
        values = [self._value(each) for each in np.ravel(point)]
        return values[0] if len(values) == 1 else values

    def _value(self, theta: float) -> float:
        self.evaluations += 1
        pub = (self._circuit, SparsePauliOp("Z"), [theta])
        return float(self._estimator.run([pub]).result()[0].data.evs)


def _evaluations(minimize: Callable[[_Energy], object]) -> int:
    energy = _Energy()
    minimize(energy)
    return energy.evaluations


def _read(result: Any) -> Any:
    return np.asarray(result.x).tobytes(), float(result.fun), result.nfev
