"""What watching costs a PennyLane job: instrumented against bare, in pairs within one run.

The job is one execution of a new tape, 4 qubits and 1,024 shots, as each step of a training makes it. A pair is two
rounds of jobs, one with the hooks in place, one without, in alternating order. CPU is that of the caller's thread
(`time.thread_time`) and of the whole process (`time.process_time`), the recorder's thread included. PennyLane itself
takes 2 ms and more for a QNode, in which a difference of 0.1 ms drowns, so the bars are held against a device that has
its result ready; what a real training takes stands beside it.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import numpy as pnp
from pennylane.devices import Device

from qml_producers.pennylane.instrumentation import PennylaneInstrumentation
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

ROUNDS = 30
JOBS = 20  # of one side of a round: the recorder writes every 50 ms, so single jobs cannot be told apart
CALLER_BAR, PROCESS_BAR, LARGE_BAR = 150.0, 400.0, 5000.0


class Ready(Device):  # type: ignore[misc]
    """A device that ran once and gives that result again."""

    def __init__(self, wires: int, result: Any) -> None:
        super().__init__(wires=wires)
        self._result = result

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:  # noqa: ARG002
        """Return the result."""
        return self._result


def ansatz(values: Any) -> None:
    for layer in range(3):
        for wire in range(4):
            qml.RY(values[4 * layer + wire], wires=wire)
        if layer < 2:
            for wire in range(3):
                qml.CNOT([wire, wire + 1])


def tape(values: Any, measurement: Any, shots: int | None) -> Any:
    operations = [qml.RY(float(value), wires=number % 4) for number, value in enumerate(values)]
    pairs = [qml.CNOT([wire, wire + 1]) for wire in range(3)]
    mixed = [*operations[:4], *pairs, *operations[4:8], *pairs, *operations[8:]]
    return qml.tape.QuantumScript(mixed, [measurement], shots=shots)


def rows() -> list[dict[str, Any]]:
    """Measure; the bars hold for one execution, and for 100 qubits by 10,000 shots."""
    rng = np.random.default_rng(7)
    wires = range(4)
    first = tape(rng.uniform(-3, 3, 12), qml.counts(wires=wires), 1024)
    ready = Ready(4, (qml.device("default.qubit", wires=4, seed=1).execute(first),))
    exact = Ready(4, (0.25,))
    wide = Ready(100, (rng.integers(0, 2, (10_000, 100)),))
    wide_tape = qml.tape.QuantumScript(
        [qml.H(wire) for wire in range(100)], [qml.sample(wires=range(100))], shots=10_000
    )

    def sampled() -> None:
        ready.execute((tape(rng.uniform(-3, 3, 12), qml.counts(wires=wires), 1024),))

    def valued() -> None:
        exact.execute((tape(rng.uniform(-3, 3, 12), qml.expval(qml.Z(0)), None),))

    @qml.qnode(qml.device("default.qubit", wires=4), diff_method="backprop")
    def energy(values: Any) -> Any:
        ansatz(values)
        return qml.expval(qml.Z(0) @ qml.Z(3))

    optimizer = qml.GradientDescentOptimizer(0.1)
    start = pnp.array(rng.uniform(-3, 3, 12), requires_grad=True)

    def step() -> None:
        optimizer.step(energy, start)

    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Settings(spool=folder, project="bench"))
        recorder.start()
        bars = (CALLER_BAR, PROCESS_BAR)
        found = [
            *_compare("4-qubit PennyLane job", sampled, recorder, bars),
            *_compare("4-qubit PennyLane expectation value", valued, recorder, bars),
            *_compare(
                "100-qubit PennyLane job, 10,000 shots",
                lambda: wide.execute((wide_tape,)),
                recorder,
                (None, LARGE_BAR),
                4,
            ),
            *_compare("PennyLane optimizer's step, backprop", step, recorder, (None, None)),
        ]
        recorder.close()
        dropped = recorder.stats().dropped
    found.append(
        {"name": "events dropped in this benchmark", "value": dropped, "unit": "", "bar": "0", "holds": dropped == 0}
    )
    return found


def _compare(
    name: str,
    job: Callable[[], object],
    recorder: Recorder,
    bars: tuple[float | None, float | None],
    jobs: int = JOBS,
) -> list[dict[str, Any]]:
    differences: list[tuple[float, ...]] = []
    bare: list[float] = []
    instrumentation = PennylaneInstrumentation()
    _measure(job, recorder, jobs)
    for number in range(ROUNDS):
        sides = {}
        for watched in (number % 2 == 0, number % 2 == 1):
            undo = instrumentation.install(recorder, qml) if watched else None
            job()  # changed classes are looked up anew
            sides[watched] = _measure(job, recorder, jobs)
            if undo is not None:
                undo()
        differences.append(tuple((a - b) * 1e6 for a, b in zip(sides[True], sides[False], strict=True)))
        bare.append(sides[False][2] * 1e6)
    caller, process, wall = zip(*differences, strict=True)
    return [
        _row(f"{name}: CPU of the caller's thread", statistics.median(caller), bars[0]),
        _row(f"{name}: CPU of the process", statistics.median(process), bars[1]),
        _row(f"{name}: wall overhead, median of {ROUNDS} pairs", statistics.median(wall), None),
        _row(f"{name}: bare wall time", statistics.median(bare), None),
    ]


def _measure(job: Callable[[], object], recorder: Recorder, jobs: int) -> tuple[float, float, float]:
    """Seconds a job of: caller's CPU, process CPU until all is written, wall time of the jobs alone."""
    recorder.flush(10)
    process, caller, wall = time.process_time(), time.thread_time(), time.perf_counter()
    for _ in range(jobs):
        job()
    caller, wall = time.thread_time() - caller, time.perf_counter() - wall
    recorder.flush(10)
    return caller / jobs, (time.process_time() - process) / jobs, wall / jobs


def _row(name: str, value: float, bar: float | None) -> dict[str, Any]:
    text = None if bar is None else f"<= {bar:.0f}"
    return {"name": name, "value": round(value, 1), "unit": "µs/job", "bar": text, "holds": bar is None or value <= bar}


if __name__ == "__main__":
    for row in rows():
        print(f"{row['name']:70} {row['value']:>10} {row['unit']:8} {row['bar'] or ''}")
