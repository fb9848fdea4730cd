"""What a Qiskit backend says of its qubits and gates, read where all providers' calibrations are."""

from qml_producers.calibrations.ibm import columns_of_properties
from qml_producers.calibrations.target import columns_of_target

__all__ = ["columns_of_properties", "columns_of_target"]
