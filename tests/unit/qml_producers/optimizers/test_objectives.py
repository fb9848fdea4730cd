"""The loss of a trainer that asks for the gradient alone: from the forward pass that it made anyway."""

import numpy as np
import pytest
import qiskit_machine_learning.algorithms as models
from qiskit_machine_learning.utils.loss_functions import L2Loss

from qml_producers.optimizers.descent import WATCHING, Descent, Plan
from qml_producers.optimizers.watching import watching

WEIGHTS = np.array([0.2, 0.4])


class Network:
    """A network of arithmetic that counts its passes."""

    output_shape = (1,)
    num_weights = 2

    def __init__(self):
        self.passes = []

    def forward(self, inputs, weights):
        self.passes.append("forward")
        return inputs @ np.reshape(weights, (2, 1))

    def backward(self, inputs, weights):
        self.passes.append("backward")
        return None, inputs[:, None, :]


def objective(loss):
    inputs = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    kind = models.objective_functions.BinaryObjectiveFunction
    return kind(inputs, np.array([1.0, 0.0, 1.0]), Network(), loss)


class OwnLoss(L2Loss):
    """A loss of the user's own."""

    calls = 0

    def evaluate(self, predict, target):
        self.calls += 1
        return super().evaluate(predict, target)


def test_the_loss_is_known_without_a_pass_more(installed, recorder):
    function, bare = objective(L2Loss()), objective(L2Loss())
    with recorder.run("r"):
        descent = Descent(recorder, 2, Plan(), "gradients")
        with watching(recorder, descent):
            gradient = function.gradient(WEIGHTS)
        assert descent._points.recall(_key()) == bare.objective(WEIGHTS)
    assert function._neural_network.passes == ["forward", "backward"]
    assert gradient.tobytes() == bare.gradient(WEIGHTS).tobytes()


def test_a_loss_of_the_users_own_is_not_evaluated_for_us(installed, recorder):
    function = objective(OwnLoss())
    with recorder.run("r"):
        descent = Descent(recorder, 2, Plan(), "gradients")
        with watching(recorder, descent):
            function.gradient(WEIGHTS)
        assert descent._points.recall(_key()) is None
    assert function._loss.calls == 0


def test_outside_a_minimization_nothing_is_computed(installed):
    assert WATCHING.get() is None
    function = objective(L2Loss())
    function.gradient(WEIGHTS)
    assert function._neural_network.passes == ["forward", "backward"]


def test_an_exception_of_the_gradient_passes(installed):
    function = objective(L2Loss())
    function._neural_network.output_shape = (2,)
    with pytest.raises(ValueError, match="Number of outputs"):
        function.gradient(WEIGHTS)


def _key():
    from qml_producers.optimizers.points import key_of

    return key_of(WEIGHTS)
