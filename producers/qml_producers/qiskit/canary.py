"""A canary: one fixed circuit, run now and again on the user's own sampler, as a reference for drift.

It runs before every n-th outermost `run()` of a sampler, in the caller's thread, and is waited for, so the user's job
starts after it. It is opt-in work: it costs what such a job costs. Its failure never reaches the user.
"""

import itertools
import weakref
from collections.abc import Callable
from typing import Any

from qiskit import QuantumCircuit

from qml_producers.qiskit.observer import Observer, Run


class QiskitCanary:
    """Registered on construction. Thread-safe.

    Raises:
        ValueError: the circuit cannot be a canary, or `every` or `shots` is less than 1.
    """

    def __init__(self, observer: Observer, circuit: QuantumCircuit, every: int, shots: int, name: str | None) -> None:
        if every < 1 or shots < 1:
            raise ValueError(f"a canary needs every >= 1 and shots >= 1, not every={every}, shots={shots}")
        if circuit.num_parameters:
            raise ValueError(
                f"a canary needs fixed angles, but {circuit.num_parameters} parameters of {circuit.name!r} are "
                "unbound: use circuit.assign_parameters(values)"
            )
        if not circuit.num_clbits:
            raise ValueError(f"a canary measures, but {circuit.name!r} has no classical bits: use measure_all()")
        self._observer = observer
        self._circuit = circuit.copy(name)
        self._source = observer.sources.of(circuit)
        if self._source is not None:
            observer.sources.remember(self._circuit, self._source)
        self._every = every
        self._shots = shots
        self._calls = itertools.count()
        self._last: Callable[[], Any] = lambda: None
        observer.before_sampling.append(self.before)

    def before(self, run: Run, sampler: Any) -> None:
        """Run the canary if this call of the user's is the turn of it. Never raises an Exception."""
        if not self._fits(sampler):
            return
        self._last = weakref.ref(sampler)
        if next(self._calls) % self._every == 0:
            self._run(run, sampler)

    def run(self, sampler: Any = None) -> Any:
        """Run the canary now, on `sampler` or on the one that the user ran last; return its result, None if it failed.

        Raises:
            RuntimeError: no sampler was given and none has run yet.
        """
        chosen = self._last() if sampler is None else sampler
        if chosen is None:
            raise RuntimeError("a canary runs on your sampler: give it, canary.run(sampler), or run a job first")
        chosen = getattr(chosen, "__wrapped__", chosen)
        run = getattr(chosen.run, "__wrapped__", chosen.run)
        return self._run(run, chosen)

    def cancel(self) -> None:
        """Run no more."""
        if self.before in self._observer.before_sampling:
            self._observer.before_sampling.remove(self.before)

    def _run(self, run: Run, sampler: Any) -> Any:
        try:
            job = self._observer.submit(
                "sampler", run, sampler, ([self._circuit],), {"shots": self._shots}, role="canary"
            )
            return job.result()
        except Exception as error:  # noqa: BLE001 - whatever a device or a sampler raises: counted, and a job.failed
            self._observer.recorder.report("canary_failed", "canary.measured", error, each=True)
            return None

    def _fits(self, sampler: Any) -> bool:
        """An ISA circuit is as wide as its device: a statevector of that width could take all memory."""
        backend = getattr(sampler, "_backend", None)
        if backend is None:
            return self._circuit.layout is None
        width = getattr(backend, "num_qubits", None)
        return width is None or width >= self._circuit.num_qubits
