"""The settings of an operator as text that no process and no object's address changes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pennylane.operation import Operator
from pennylane.wires import Wires

from qml_producers.observing.matrices import matrix_digest
from quantum_mlops.circuits.normal_form import rounded


def setting_text(value: Any, qubits: Mapping[Any, int], operator_text: Callable[[Any], str]) -> str:
    """Return a text for a hyperparameter; a thing of unknown kind goes by its type alone.

    >>> setting_text({"word": "XY", "on": [True, 0.5]}, {}, repr)
    "{word:'XY',on:[1000000000000,500000000000]}"
    """

    def text(each: Any) -> str:
        return setting_text(each, qubits, operator_text)

    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.dtype == object):
        value = value.tolist()
    if isinstance(value, (int, float, complex)):
        found = str(rounded(value))
    elif value is None or isinstance(value, str):
        found = repr(value)
    elif isinstance(value, np.ndarray):
        found = matrix_digest(value)
    elif isinstance(value, Wires):
        found = "w" + ".".join(str(qubits.get(label, label)) for label in value.labels)
    elif isinstance(value, Mapping):
        found = "{" + ",".join(f"{key}:{text(each)}" for key, each in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        found = "[" + ",".join(map(text, value)) + "]"
    else:
        found = operator_text(value) if isinstance(value, Operator) else type(value).__name__
    return found
