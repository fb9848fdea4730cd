"""How often each canary of a backend was executed, as far as its outcomes can be charted.

The drift processor pools the first executions of each into its reference; the views do not see its state, so
this counts executions in the log and claims no more. It begins anew where the processor forgets a series.
"""

from msgspec import Struct, field

from qml_processors.drift.processor import FORGOTTEN_AFTER
from quantum_mlops.events import ShotsMeasured

CANARIES_KEPT = 64


class CanaryCount(Struct):
    """One circuit with its parameters on its physical qubits (None: not told). `last` is the log's time (ns)."""

    circuit: str
    qubits: list[int] | None = None
    parameters: str | None = None
    executions: int = 0
    last: int = 0


class CanaryCounts(Struct):
    """The canaries of one backend by their series, the 64 that were executed last."""

    series: dict[str, CanaryCount] = field(default_factory=dict)

    def take(self, data: ShotsMeasured, now: int) -> None:
        """Count an execution; one without outcomes cannot be charted and is left out.

        >>> from quantum_mlops.events import Outcomes
        >>> counts, zeros = CanaryCounts(), Outcomes(bits=1, keys=bytes(1), counts=[10])
        >>> bell = ShotsMeasured(job_id="j", backend="b", circuit="c1:a", shots=10, reference="canary", outcomes=zeros)
        >>> counts.take(bell, 1)
        >>> counts.take(bell, 2)
        >>> [(one.circuit, one.executions) for one in counts.series.values()]
        [('c1:a', 2)]
        """
        if data.reference != "canary" or (data.outcomes is None and data.statistics is None) or data.shots < 1:
            return
        qubits = list(data.footprint.qubits) if data.footprint is not None else None
        key = f"{data.circuit}/{data.parameters or '-'}/{qubits}"
        known = self.series.pop(key, None)
        if known is None or now - known.last >= FORGOTTEN_AFTER:
            known = CanaryCount(data.circuit, qubits, data.parameters)
        known.executions += 1
        known.last = now
        self.series[key] = known
        if len(self.series) > CANARIES_KEPT:
            del self.series[next(iter(self.series))]
