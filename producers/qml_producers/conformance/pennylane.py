"""Devices and optimizers of PennyLane: shots and gradients on its simulators, Braket's local one through its plugin."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp

from quantum_mlops.testing.conformance import Subject

_PACKAGES = ("pennylane",)
_SHOTS = 200


def subjects() -> list[Subject]:
    """Return shots, each way of taking a gradient, an optimizer's step and a device of another provider's."""
    found = [
        _sampled("default.qubit"),
        _sampled("default.mixed", submit_generator=lambda made: made.execute(tape for tape in [_tape(), _tape()])),
        _gradient("default.qubit", "backprop", 1),
        _gradient("default.qubit", "adjoint", 1),
        _gradient("default.qubit", "parameter-shift", 2),
        _step(),
    ]
    if find_spec("pennylane_lightning"):
        found.append(_gradient("lightning.qubit", "adjoint", 1, forks=False))
    if find_spec("braket") and find_spec("braket.pennylane_plugin"):
        found.append(_braket())
    return found


def _start() -> Any:
    return pnp.array([0.4, -0.8, 1.2], requires_grad=True)


def _ansatz(values: Any) -> None:
    for wire in range(3):
        qml.RY(values[wire], wires=wire)
    qml.CNOT([0, 1])
    qml.CNOT([1, 2])


def _energy(values: Any) -> Any:
    _ansatz(values)
    return qml.expval(qml.Z(0) @ qml.X(2))


def _counts(values: Any) -> Any:
    _ansatz(values)
    return qml.counts()


def _tape() -> Any:
    operations = [qml.RY(0.4, 0), qml.CNOT([0, 1]), qml.RX(0.3, 2)]
    return qml.tape.QuantumScript(operations, [qml.counts(wires=[0, 1, 2])], shots=_SHOTS)


def _subject(name: str, make: Callable[[], Any], submit: Callable[[Any], Any], **more: Any) -> Subject:
    given: dict[str, Any] = {"packages": _PACKAGES, "read": _read, **more}
    return Subject(name=f"pennylane {name}", instrumentation="pennylane", make=make, submit=submit, **given)


def _sampled(device: str, **more: Any) -> Subject:
    return _subject(
        f"{device} counts",
        lambda: qml.device(device, wires=3, seed=7),
        lambda made: qml.set_shots(qml.QNode(_counts, made), _SHOTS)(_start()),
        mistakes=_MISTAKES,
        **more,
    )


def _gradient(device: str, method: str, jobs: int, *, forks: bool = True) -> Subject:
    return _subject(
        f"{device} {method}",
        lambda: qml.device(device, wires=3),
        lambda made: qml.grad(qml.QNode(_energy, made, diff_method=method))(_start()),
        jobs=jobs,
        mistakes=_MISTAKES,
        forks=forks,
        packages=(*_PACKAGES, "pennylane_lightning") if device.startswith("lightning") else _PACKAGES,
    )


def _step() -> Subject:
    return _subject(
        "AdamOptimizer",
        lambda: qml.AdamOptimizer(0.1),
        lambda optimizer: optimizer.step_and_cost(
            qml.QNode(_energy, qml.device("default.qubit", wires=3), diff_method="parameter-shift"), _start()
        ),
        jobs=2,
        mistakes={
            "no cost": lambda optimizer: optimizer.step(None, _start()),
            "no function": lambda optimizer: optimizer.step_and_cost(),
        },
    )


def _braket() -> Subject:
    return _subject(
        "braket.local.qubit",
        lambda: qml.device("braket.local.qubit", wires=3),
        lambda made: qml.set_shots(qml.QNode(_counts, made), _SHOTS)(_start()),
        read=lambda counts: sum(counts.values()),
        counts=_plain,
        packages=(*_PACKAGES, "braket"),
    )


def _read(result: Any) -> Any:
    if isinstance(result, Mapping):
        return sorted(_plain(result).items())
    if isinstance(result, (tuple, list)):
        return [_read(each) for each in result]
    return np.asarray(result).tobytes()


def _plain(counts: Mapping[Any, Any]) -> dict[str, int]:
    return {str(key): int(count) for key, count in counts.items()}


_MISTAKES: dict[str, Callable[[Any], object]] = {
    "no circuits": lambda device: device.execute(),
    "no tape": lambda device: device.execute(["no tape"]),
    "not even a list": lambda device: device.execute(7),
    "a generator that breaks": lambda device: device.execute(1 / zero for zero in (1, 0)),
    "a wire too many": lambda device: qml.QNode(lambda: qml.expval(qml.Z(7)), device)(),
    "a gradient of counts": lambda device: qml.grad(qml.QNode(_counts, device))(_start()),
}
