"""BackendSamplerV2 over IonQ gives wrong bits, silently; this tells when it happens.

The sampler reads `memory` of each experiment as hexadecimal numbers. IonQ's ideal simulator has none, which is read as
all zeros; its QPUs and noisy simulators have bit strings, of which "11" is read as 0x11 and becomes "01".
A circuit of one bit survives the second.
"""

import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

WARNING: Final = "wrong-bits: BackendSamplerV2 over IonQ"
"""What `Job.warnings` says; the text before the colon is the code that the results processor knows."""

_SAMPLER = "qiskit.primitives.backend_sampler_v2"
_DEPTH = 12  # of the frames between the sampler and the backend: 3 in Qiskit 2.6


def gives_wrong_bits(backend: str, run_input: Any) -> bool:
    """Tell whether a BackendSamplerV2 is calling, which cannot read what IonQ answers.

    It asks for `memory`: where nobody does, that is known without looking.
    """
    if not _is_called_by(_SAMPLER):
        return False
    circuits: Iterable[Any] = run_input if isinstance(run_input, (list, tuple)) else [run_input]
    return backend == "simulator" or any(circuit.num_clbits > 1 for circuit in circuits)


def _is_called_by(module: str) -> bool:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the stack, without building texts of it
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_globals.get("__name__") == module:
            return True
        frame = frame.f_back
    return False
