"""A text for the entries of a matrix, the same from every SDK: what a unitary is in a circuit's identity."""

from typing import Any

import numpy as np

from quantum_mlops.circuits import parameters_digest


def matrix_digest(matrix: np.ndarray[Any, Any]) -> str:
    """Return the shape of a matrix and the parameters digest of its real and imaginary parts.

    >>> matrix_digest(np.eye(2)).startswith("2x2:p1:")
    True
    """
    flat = np.ascontiguousarray(matrix, dtype=np.complex128).view(np.float64).ravel()
    return f"{'x'.join(map(str, matrix.shape))}:{parameters_digest(flat.tolist())}"
