"""A log carried into another one, with its states, whatever the numbers of their partitions. Start at `carry.py`."""

from qml_processors.transfer.carry import carry
from qml_processors.transfer.cursors import ORIGIN
from qml_processors.transfer.plan import Carried, Plan, TransferError, refuse_unfinished

__all__ = ["ORIGIN", "Carried", "Plan", "TransferError", "carry", "refuse_unfinished"]
