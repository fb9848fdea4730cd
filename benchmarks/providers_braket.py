"""What watching costs a job on Braket's local simulator: instrumented against bare, in pairs within one run.

The job is 4 qubits, 1,024 shots; the circuit is one object with its angles as inputs, as in a training loop, or a new
bound circuit each time. A pair is two rounds of jobs, one with the hooks in place, one without, in alternating order.
CPU is that of the caller's thread (`time.thread_time`) and of the whole process (`time.process_time`), the recorder's
thread included. The simulator itself takes 10 ms and more, in which a difference of 0.1 ms drowns, so the bars are
held against the same job on a simulator that has its result ready.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import braket.devices.local_simulator  # noqa: F401 - hooked by its name in sys.modules
import numpy as np
from braket.circuits import Circuit, FreeParameter
from braket.default_simulator import StateVectorSimulator
from braket.devices import LocalSimulator

from qml_producers.braket.instrumentation import BraketInstrumentation
from qml_producers.braket.observer import Observer
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

ROUNDS = 100  # the SDK alone takes 1 ms to write the circuit as text, which varies by more than we cost
JOBS = 10  # of one side of a round: the recorder writes every 50 ms, so single jobs cannot be told apart
CALLER_BAR, PROCESS_BAR, LARGE_BAR = 150.0, 400.0, 5000.0
MODULE = "braket.devices.local_simulator"


class Ready(StateVectorSimulator):  # type: ignore[misc]
    """A simulator that ran once and gives that result again."""

    def __init__(self, result: Any) -> None:
        super().__init__()
        self._result = result

    def run(self, *_: Any, **__: Any) -> Any:
        """Return the result."""
        return self._result


def rows() -> list[dict[str, Any]]:
    """Measure both ways of binding; the bars hold for the first."""
    angles = [FreeParameter(f"t{number}") for number in range(12)]
    circuit = ansatz(angles)
    rng = np.random.default_rng(7)
    real = LocalSimulator()
    values = dict.fromkeys((each.name for each in angles), 0.3)
    measured = real.run(circuit, shots=1024, inputs=values).result()
    ready = LocalSimulator(Ready(measured))

    def inputs() -> dict[str, float]:
        return {each.name: float(value) for each, value in zip(angles, rng.uniform(-3, 3, 12), strict=True)}

    wide = Circuit()
    for qubit in range(100):
        wide.h(qubit)
    large = _large(measured)
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Settings(spool=folder, project="bench"))
        recorder.start()
        found = [
            *_compare(
                "4-qubit Braket job", lambda: ready.run(circuit, shots=1024, inputs=inputs()), recorder,
                (CALLER_BAR, PROCESS_BAR),
            ),
            *_compare(
                "4-qubit Braket job, a new circuit each",
                lambda: ready.run(ansatz(rng.uniform(-3, 3, 12)), shots=1024), recorder, (None, None),
            ),
            *_compare(
                "4-qubit Braket job, simulated", lambda: real.run(circuit, shots=1024, inputs=inputs()), recorder,
                (None, None), rounds=6, jobs=5,
            ),
            *_compare(
                "100 qubits x 10,000 shots", lambda: large.run(wide, shots=10_000), recorder, (None, LARGE_BAR),
                rounds=6, jobs=2,
            ),
        ]  # fmt: skip
        found.append(_in_place(ready, circuit, recorder, inputs()))
        recorder.close()
        dropped = recorder.stats().dropped
    found.append({"name": "Braket: events dropped", "value": dropped, "unit": "", "bar": "0", "holds": dropped == 0})
    return found


def ansatz(angles: Any) -> Circuit:
    """Three layers of rotations, two of entanglers: 22 instructions with the measurements."""
    circuit = Circuit()
    for layer in range(3):
        for qubit in range(4):
            circuit.ry(qubit, angles[4 * layer + qubit])
        if layer < 2:
            for qubit in range(3):
                circuit.cnot(qubit, qubit + 1)
    return circuit


def _large(measured: Any) -> LocalSimulator:
    shots = np.random.default_rng(1).integers(0, 2, (10_000, 100))
    metadata = measured.task_metadata.copy(update={"shots": 10_000})
    return LocalSimulator(
        Ready(replace(measured, measurements=shots, measured_qubits=list(range(100)), task_metadata=metadata))
    )


def _compare(
    name: str,
    job: Callable[[], object],
    recorder: Recorder,
    bars: tuple[float | None, float | None],
    *,
    rounds: int = ROUNDS,
    jobs: int = JOBS,
) -> list[dict[str, Any]]:
    differences: list[tuple[float, ...]] = []
    bare: list[float] = []
    instrumentation = BraketInstrumentation()
    _measure(job, recorder, jobs)
    for number in range(rounds):
        sides = {}
        for watched in (number % 2 == 0, number % 2 == 1):
            undo = instrumentation.install(recorder, sys.modules[MODULE]) if watched else None
            sides[watched] = _measure(job, recorder, jobs)
            if undo is not None:
                undo()
        differences.append(tuple((a - b) * 1e6 for a, b in zip(sides[True], sides[False], strict=True)))
        bare.append(sides[False][2] * 1e6)
    caller, process, wall = zip(*differences, strict=True)
    return [
        _row(f"{name}: CPU of the caller's thread", statistics.median(caller), bars[0]),
        _row(f"{name}: CPU of the process", statistics.median(process), bars[1]),
        _row(f"{name}: wall overhead, median of {rounds} pairs", statistics.median(wall), None),
        _row(f"{name}: bare wall time", statistics.median(bare), None),
    ]


def _measure(job: Callable[[], object], recorder: Recorder, jobs: int) -> tuple[float, float, float]:
    """Seconds a job of: caller's CPU, process CPU until all is written, wall time of the jobs alone."""
    process, caller, wall = time.process_time(), time.thread_time(), time.perf_counter()
    for _ in range(jobs):
        job()
    caller, wall = time.thread_time() - caller, time.perf_counter() - wall
    recorder.flush(10)
    return caller / jobs, (time.process_time() - process) / jobs, wall / jobs


def _in_place(device: LocalSimulator, circuit: Circuit, recorder: Recorder, inputs: dict[str, float]) -> dict[str, Any]:
    """The caller's CPU inside our hook and outside the SDK, without what the writer's thread does to its caches."""
    simulations, inner = Observer(recorder).simulations, [0.0]

    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.thread_time()
        done = LocalSimulator.run(device, *args, **kwargs)
        inner[0] = time.thread_time() - began
        return done

    found = []
    for number in range(400):
        began = time.thread_time()
        simulations.run(run, device, (circuit,), {"shots": 1024, "inputs": inputs})
        found.append((time.thread_time() - began - inner[0]) * 1e6)
        if number % JOBS == 0:
            recorder.flush(10)
    return _row("4-qubit Braket job: CPU of the caller's thread in our hook", statistics.median(found), None)


def _row(name: str, value: float, bar: float | None) -> dict[str, Any]:
    text = None if bar is None else f"<= {bar:.0f}"
    return {"name": name, "value": round(value, 1), "unit": "µs/job", "bar": text, "holds": bar is None or value <= bar}
