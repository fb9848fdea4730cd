"""Circuits without their SDK: plain operations, their normal form, and one identity for equal circuits."""

from quantum_mlops.circuits.identity import identity, identity_of_form, parameters_digest
from quantum_mlops.circuits.normal_form import Number, Operation, Placed, depth, normal_form
from quantum_mlops.circuits.symbols import expression, symbol

__all__ = [
    "Number",
    "Operation",
    "Placed",
    "depth",
    "expression",
    "identity",
    "identity_of_form",
    "normal_form",
    "parameters_digest",
    "symbol",
]
