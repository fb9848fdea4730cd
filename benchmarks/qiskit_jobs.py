"""What watching costs a Qiskit job: instrumented against bare, in pairs within one run.

The job is 4 qubits, 1,024 shots, on Aer's SamplerV2 with one simulator thread; the circuit is one object whose
parameters are bound by the pub, as in a training loop, or a new bound circuit each time. A pair is two jobs, one
with the hooks in place, one without, in alternating order. CPU is that of the caller's thread (`time.thread_time`)
and of the whole process (`time.process_time`), the recorder's thread included; wall time stands beside it.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
from qiskit.circuit.library import real_amplitudes
from qiskit_aer.primitives import SamplerV2

from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from quantum_mlops.circuits import identity
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

ROUNDS = 30
JOBS = 10  # of one side of a round: the recorder writes every 50 ms, so single jobs cannot be told apart
CALLER_BAR, PROCESS_BAR = 60.0, 300.0


def rows() -> list[dict[str, Any]]:
    """Measure both ways of binding; the bars hold for the first."""
    circuit = real_amplitudes(4, reps=2)
    circuit.measure_all()
    sampler = SamplerV2(options={"backend_options": {"max_parallel_threads": 1}})
    rng = np.random.default_rng(7)

    def bound_by_pub() -> None:
        sampler.run([(circuit, rng.uniform(-3, 3, 12))], shots=1024).result()

    def bound_before() -> None:
        sampler.run([circuit.assign_parameters(rng.uniform(-3, 3, 12))], shots=1024).result()

    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Settings(spool=folder, project="bench"))
        recorder.start()
        found = [
            *_compare("4-qubit Aer job", bound_by_pub, recorder, (CALLER_BAR, PROCESS_BAR)),
            *_compare("4-qubit Aer job, a new circuit each", bound_before, recorder, (None, None)),
        ]
        recorder.close()
        dropped = recorder.stats().dropped
    found.append(_identity_row())
    found.append(
        {"name": "events dropped in this benchmark", "value": dropped, "unit": "", "bar": "0", "holds": dropped == 0}
    )
    return found


def _identity_row() -> dict[str, Any]:
    """CPU of one circuit identity, 22 operations, best of 9 batches."""
    layers = [("ry", (0.1 * i,), (i % 4,), ()) for i in range(12)]
    pairs = [("cx", (), (i % 3, i % 3 + 1), ()) for i in range(6)]
    operations = [*layers[:4], *pairs[:3], *layers[4:8], *pairs[3:], *layers[8:]]
    operations += [("measure", (), (i,), (i,)) for i in range(4)]
    batches = []
    for _ in range(9):
        start = time.thread_time()
        for _ in range(300):
            identity(operations, 4, 4)
        batches.append((time.thread_time() - start) / 300 * 1e6)
    value = min(batches)
    return {
        "name": "circuit identity, 22 operations",
        "value": value,
        "unit": "µs",
        "bar": "<= 60",
        "holds": value <= 60,
    }


def _compare(
    name: str, job: Callable[[], None], recorder: Recorder, bars: tuple[float | None, float | None]
) -> list[dict[str, Any]]:
    differences: list[tuple[float, float, float]] = []
    bare: list[float] = []
    instrumentation = QiskitInstrumentation()
    _measure(job, recorder)
    for number in range(ROUNDS):
        sides = {}
        for watched in (number % 2 == 0, number % 2 == 1):
            undos = (
                [instrumentation.install(recorder, sys.modules[m]) for m in instrumentation.modules] if watched else []
            )
            sides[watched] = _measure(job, recorder)
            for undo in undos:
                undo()
        differences.append(tuple((a - b) * 1e6 for a, b in zip(sides[True], sides[False], strict=True)))  # type: ignore[arg-type]
        bare.append(sides[False][2] * 1e6)
    caller, process, wall = zip(*differences, strict=True)
    low, _, high = statistics.quantiles(wall, n=4)
    return [
        _row(f"{name}: CPU of the caller's thread", statistics.median(caller), bars[0]),
        _row(f"{name}: CPU of the process", statistics.median(process), bars[1]),
        _row(f"{name}: wall overhead, median of {ROUNDS} pairs", statistics.median(wall), None),
        _row(f"{name}: wall overhead, lower quartile", low, None),
        _row(f"{name}: wall overhead, upper quartile", high, None),
        _row(f"{name}: bare wall time", statistics.median(bare), None),
    ]


def _measure(job: Callable[[], None], recorder: Recorder) -> tuple[float, float, float]:
    """Seconds a job of: caller's CPU, process CPU until all is written, wall time of the jobs alone."""
    process, caller, wall = time.process_time(), time.thread_time(), time.perf_counter()
    for _ in range(JOBS):
        job()
    caller, wall = time.thread_time() - caller, time.perf_counter() - wall
    recorder.flush(10)
    return caller / JOBS, (time.process_time() - process) / JOBS, wall / JOBS


def _row(name: str, value: float, bar: float | None) -> dict[str, Any]:
    text = None if bar is None else f"<= {bar:.0f}"
    return {"name": name, "value": round(value, 1), "unit": "µs/job", "bar": text, "holds": bar is None or value <= bar}
