"""`wrap`: one device or one QNode is watched, and no class is patched."""

import copy
import pickle

import pennylane as qml
import pytest
from pennylane import numpy as pnp
from pennylane.devices import Device

X = pnp.array([0.3], requires_grad=True)


def energy(x):
    qml.RX(x[0], wires=0)
    return qml.expval(qml.Z(0))


def test_a_wrapped_device_is_watched_and_another_of_its_class_is_not(recorder, instrumentation, events):
    before = type(qml.device("default.qubit")).__dict__["execute"]
    device = qml.device("default.qubit", wires=1)
    watched = instrumentation.wrap(recorder, device)
    node = qml.QNode(energy, watched, diff_method="adjoint")
    assert qml.grad(node)(X) == pytest.approx(qml.grad(qml.QNode(energy, device, diff_method="adjoint"))(X))
    qml.QNode(energy, device)(X)
    (created,) = events("job.created")
    assert created.data.primitive == "execute_and_compute_derivatives"
    assert type(device).__dict__["execute"] is before


def test_a_wrapped_device_is_the_device_in_everything_else(recorder, instrumentation, events):
    device = qml.device("default.qubit", wires=1, seed=3)
    watched = instrumentation.wrap(recorder, device)
    assert isinstance(watched, Device)
    assert isinstance(watched, type(device))
    assert watched.wires == device.wires
    assert instrumentation.wrap(recorder, watched) is watched
    with qml.Tracker(watched) as tracker:
        qml.QNode(energy, watched)(X)
    assert tracker.totals["executions"] == 1
    assert type(copy.copy(watched)) is type(copy.deepcopy(watched)) is type(watched)
    assert len(events("job.created")) == 1


def test_a_wrapped_qnode_is_a_qnode_of_its_own(recorder, instrumentation, events):
    node = qml.QNode(energy, qml.device("default.qubit", wires=1), diff_method="parameter-shift")
    watched = instrumentation.wrap(recorder, node)
    assert isinstance(watched, qml.QNode)
    assert qml.grad(watched)(X) == pytest.approx(qml.grad(node)(X))
    assert qml.set_shots(watched, 10)(X) is not None
    node(X)
    assert [event.data.executions for event in events("job.created")] == [1, 2, 1]


def test_wrapped_and_patched_is_told_once(recorder, installed, events):
    installed.wrap(recorder, qml.QNode(energy, qml.device("default.qubit", wires=1)))(X)
    assert len(events("job.created")) == 1


def test_what_is_neither_is_not_ours(recorder, instrumentation):
    assert instrumentation.wrap(recorder, object()) is None
    assert instrumentation.wrap(recorder, qml.X(0)) is None
    assert instrumentation.make_canary(recorder, object(), 1, 1, None) is None


class Plain(Device):
    def execute(self, circuits, execution_config=None):
        return 0.5


def test_it_pickles_as_the_device(recorder, instrumentation):
    watched = instrumentation.wrap(recorder, Plain(wires=1))
    assert type(pickle.loads(pickle.dumps(watched))) is Plain  # noqa: S301 - our own
