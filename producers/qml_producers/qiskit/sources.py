"""Which circuit a transpiled one came from, remembered as long as the transpiled one lives.

A job then carries the identity of the circuit that the user wrote beside that of the one that ran. A circuit that
was bound or changed by other means after transpilation may be a new object, whose source is unknown.
"""

import weakref
from collections.abc import Callable
from typing import Any

from qiskit import QuantumCircuit

from qml_producers.observing.nesting import INSIDE


class Sources:
    """Transpiled circuit to the copy of its source. Thread-safe: single operations of a dict."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[QuantumCircuit], QuantumCircuit]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, circuit: QuantumCircuit) -> QuantumCircuit | None:
        """Return the source of a transpiled circuit, or None."""
        known = self._known.get(id(circuit))
        return known[1] if known is not None and known[0]() is circuit else None

    def remember(self, transpiled: QuantumCircuit, source: QuantumCircuit) -> None:
        """Note that `transpiled` came from `source`, a copy that nobody changes."""
        key = id(transpiled)
        known = self._known

        def forget(reference: Any) -> None:
            entry = known.get(key)
            if entry is not None and entry[0] is reference:
                del known[key]

        known[key] = (weakref.ref(transpiled, forget), source)

    def wrap_run(self, report: Callable[[BaseException], None]) -> Callable[..., Any]:
        """Return a wrapper for `PassManager.run`; an error of ours goes to `report`."""

        def run(wrapped: Callable[..., Any], _instance: Any, args: Any, kwargs: Any) -> Any:
            circuits = args[0] if args else kwargs.get("circuits")
            if INSIDE.get() or not isinstance(circuits, (QuantumCircuit, list, tuple)):
                return wrapped(*args, **kwargs)
            before = [circuits] if isinstance(circuits, QuantumCircuit) else list(circuits)
            try:
                copies = [circuit.copy() if isinstance(circuit, QuantumCircuit) else None for circuit in before]
            except Exception as error:  # noqa: BLE001 - a circuit of the user's own class: counted by `report`
                report(error)
                return wrapped(*args, **kwargs)
            transpiled = wrapped(*args, **kwargs)
            try:
                after = [transpiled] if isinstance(transpiled, QuantumCircuit) else transpiled
                for old, source, new in zip(before, copies, after, strict=True):
                    if source is not None and isinstance(new, QuantumCircuit) and new is not old:
                        self.remember(new, self.of(old) or source)
            except Exception as error:  # noqa: BLE001 - ours, not the user's: counted by `report`
                report(error)
            return transpiled

        return run
