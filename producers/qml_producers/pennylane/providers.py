"""Whose device a PennyLane device stands for: its own simulators, or Braket's, IonQ's, a Qiskit backend's.

Known by the package that defines the device, so no plugin is imported here. Nothing is asked of a service.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class Target(NamedTuple):
    """What `Job.provider` and `Job.backend` say."""

    provider: str
    backend: str


_BRAKET = "braket.pennylane_plugin"
_MAX_LABEL = 512


def target_of(device: Any) -> Target:
    """Return the provider and backend of a device; a device of unknown make is PennyLane's own.

    >>> import pennylane as qml
    >>> target_of(qml.device("default.qubit", wires=2))
    Target(provider='pennylane', backend='default.qubit')
    """
    inner = getattr(device, "target_device", device)  # a legacy device behind its facade
    package = type(inner).__module__.partition(".")[0]
    if type(inner).__module__.startswith(_BRAKET):
        found = _braket(inner)
    elif package == "pennylane_ionq":
        found = Target("ionq", str(inner.target))
    elif package == "pennylane_qiskit":
        found = _qiskit(inner)
    else:
        found = None
    return found or Target("pennylane", str(device.name or type(inner).__name__)[:_MAX_LABEL])


def tasks_of(device: Any, tapes: Sequence[Any]) -> int:
    """Return how many tasks of its service a device makes of tapes: one, but Braket's one each or in program sets."""
    if not type(device).__module__.startswith(_BRAKET):
        return 1
    most = getattr(device, "_max_program_set_executables", None)
    same = len({tape.shots for tape in tapes}) == 1 and bool(tapes[0].shots)
    return math.ceil(len(tapes) / most) if most and same else len(tapes)


def _braket(device: Any) -> Target | None:
    inner = getattr(device, "_device", None)
    arn = getattr(inner, "arn", None)
    if arn is not None:
        return Target("braket", str(arn))
    simulator = getattr(inner, "_delegate", None)  # of a LocalSimulator
    name = getattr(simulator, "DEVICE_ID", None) or getattr(inner, "name", None)
    return None if name is None else Target("braket", str(name))


def _qiskit(device: Any) -> Target | None:
    backend = getattr(device, "backend", None) or getattr(device, "_backend", None)
    if backend is None:
        return None
    name = getattr(backend, "name", None)
    name = name() if callable(name) else name
    module = type(backend).__module__.partition(".")[0]
    provider = {"qiskit_ibm_runtime": "ibm", "qiskit_ionq": "ionq"}.get(module, module)
    return Target(provider, str(name or type(backend).__name__)[:_MAX_LABEL])
