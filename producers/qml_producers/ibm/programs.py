"""Programs that a user gives to the executor: circuits with shots, measured in arrays of the user's own.

They are told as jobs with their circuits. What they measure is not: what an array means is the program's affair.
"""

from typing import Any

from qml_producers.qiskit.captures import CapturedPub
from qml_producers.qiskit.sources import Sources


def is_program(given: Any) -> bool:
    """Tell whether what `run` was given is a program and no pubs."""
    return type(given).__name__ == "QuantumProgram"


def capture_program(program: Any, sources: Sources) -> list[CapturedPub]:
    """Return a copy of each circuit. Raises what an attribute of a program that has another shape raises."""
    return [
        CapturedPub(
            item.circuit.copy(),
            id(item.circuit),
            sources.of(item.circuit),
            {},
            tuple(item.shape),
            program.shots,
            None,
        )
        for item in program.items
    ]
