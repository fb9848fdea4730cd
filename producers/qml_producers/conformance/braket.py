"""Amazon Braket's local simulator: sampled, exact, program sets. It takes no seed, so counts are compared."""

from typing import Any

import numpy as np
from braket.circuits import Circuit, FreeParameter, Observable
from braket.devices import LocalSimulator
from braket.program_sets import ProgramSet

from quantum_mlops.testing.conformance import Subject

_PACKAGES = ("braket",)
_SHOTS = 200
_INPUTS = {"a": 0.4}


def subjects() -> list[Subject]:
    """Return the ways of running on the simulator in this process; a batch forks."""
    return [
        Subject(
            name="LocalSimulator.run",
            instrumentation="braket",
            packages=_PACKAGES,
            make=LocalSimulator,
            submit=lambda device: device.run(_ansatz(), shots=_SHOTS, inputs=_INPUTS),
            read=lambda task: _facts(task.result()),
            counts=lambda task: task.result().measurement_counts,
            mistakes={
                "nothing": lambda device: device.run(),
                "no program": lambda device: device.run("H", shots=1),
                "unbound": lambda device: device.run(_ansatz(), shots=1),
                "an empty circuit": lambda device: device.run(Circuit(), shots=1),
            },
        ),
        Subject(
            name="LocalSimulator.run without shots",
            instrumentation="braket",
            packages=_PACKAGES,
            make=LocalSimulator,
            submit=lambda device: device.run(_exact(), inputs=_INPUTS),
            read=lambda task: [np.asarray(value).tobytes() for value in task.result().values],
        ),
        Subject(
            name="LocalSimulator.run of a program set",
            instrumentation="braket",
            packages=_PACKAGES,
            make=LocalSimulator,
            submit=lambda device: device.run(ProgramSet([_fixed(), _fixed()], shots_per_executable=_SHOTS)),
            read=lambda task: [sum(entry[0].counts.values()) for entry in task.result().entries],
            counts=lambda task: task.result()[0][0].counts,
            mistakes={"no shots": lambda device: device.run(ProgramSet([_fixed()]))},
        ),
    ]


def _ansatz() -> Circuit:
    return Circuit().ry(0, FreeParameter("a")).cnot(0, 1).rx(2, 0.9).cz(1, 2)


def _fixed() -> Circuit:
    return Circuit().ry(0, 0.4).cnot(0, 1).rx(2, 0.9).cz(1, 2)


def _exact() -> Circuit:
    return _ansatz().state_vector().expectation(Observable.Z(), 0)


def _facts(result: Any) -> Any:
    return result.measurements.shape, str(result.measurements.dtype), result.measured_qubits
