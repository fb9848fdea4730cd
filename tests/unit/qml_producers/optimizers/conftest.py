import sys
from collections.abc import Callable, Iterator

import pytest
import qiskit_algorithms.gradients
import qiskit_algorithms.optimizers
import qiskit_machine_learning.algorithms
import qiskit_machine_learning.neural_networks
import qiskit_machine_learning.optimizers
import scipy.optimize  # noqa: F401 - as above

from qml_producers.optimizers.descent import Descent
from qml_producers.optimizers.instrumentation import OptimizersInstrumentation
from quantum_mlops.events import MetricLogged

Metrics = Callable[[], list[tuple[int | None, MetricLogged]]]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The generators that the optimizers of both packages draw from."""
    for utils in (qiskit_algorithms.utils, qiskit_machine_learning.utils):
        utils.algorithm_globals.random_seed = 20261121


@pytest.fixture
def installed(recorder) -> Iterator[OptimizersInstrumentation]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    instrumentation = OptimizersInstrumentation()
    undos = [instrumentation.install(recorder, sys.modules[name]) for name in instrumentation.modules]
    yield instrumentation
    for undo in reversed(undos):
        undo()
    assert recorder.stats().reasons == {}


@pytest.fixture
def quantum(monkeypatch):
    """Functions of plain numbers pass for such as run quantum jobs."""
    monkeypatch.setattr(Descent, "_runs_jobs", lambda descent, step: True)


@pytest.fixture
def metrics(events) -> Metrics:
    """The metrics that were recorded so far, with their steps, in the order of time."""

    def read() -> list[tuple[int | None, MetricLogged]]:
        found = [event for event in events() if isinstance(event.data, MetricLogged)]
        return [(event.context.step, event.data) for event in sorted(found, key=lambda event: (event.time, event.id))]

    return read
