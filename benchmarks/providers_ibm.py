"""What watching costs a job of IBM Runtime in local mode: instrumented against bare, in turns within one run.

The job is 4 qubits, 1,024 shots, on the older SamplerV2 with an AerSimulator of one thread as its mode, once with one
circuit whose parameters the pub binds, as in a training loop; then 100 qubits, 10,000 shots. Outcomes were drawn before.
CPU is that of the caller's thread and of the whole process, the recorder's thread included; it is the difference of
the best rounds of both sides, since whatever else the machine does only adds to a round.
"""

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import numpy as np
import qiskit.transpiler  # noqa: F401 - hooked by its name in sys.modules
import qiskit_aer.primitives  # noqa: F401 - as above
import qiskit_ibm_runtime.executor_estimator
import qiskit_ibm_runtime.executor_sampler  # noqa: F401 - as above
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes
from qiskit.primitives import BackendSamplerV2, BitArray, DataBin, PrimitiveResult, SamplerPubResult
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import SamplerV2

from qml_producers.ibm.instrumentation import IbmInstrumentation
from qml_producers.qiskit.instrumentation import QiskitInstrumentation
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

Sizes = tuple[int, int]
"""Rounds, and jobs of one side of a round: the recorder writes every 50 ms, so single jobs cannot be told apart."""

_NEVER: tuple[float, ...] = (float("inf"),) * 3

SMALL, LARGE = (100, 10), (10, 5)
CALLER_BAR, PROCESS_BAR, LARGE_BAR = 60.0, 400.0, 5000.0


def rows() -> list[dict[str, Any]]:
    """Measure both jobs."""
    warnings.simplefilter("ignore")  # SamplerV2 is deprecated, and used
    circuit = real_amplitudes(4, reps=2)
    circuit.measure_all()
    sampler = SamplerV2(AerSimulator(max_parallel_threads=1))
    large = QuantumCircuit(100)
    large.h(range(100))
    large.measure_all()
    rng = np.random.default_rng(7)

    def small_job() -> None:
        sampler.run([(circuit, rng.uniform(-3, 3, 12))], shots=1024).result()

    def large_job() -> None:
        sampler.run([large], shots=10_000).result()

    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Settings(spool=folder, project="bench"))
        recorder.start()
        with _measured(rng.integers(0, 16, (1024, 1), np.uint8), 4):
            found = _compare("4-qubit job of IBM Runtime", small_job, recorder, (CALLER_BAR, PROCESS_BAR), SMALL)
        with _measured(rng.integers(0, 256, (10_000, 13), np.uint8) & np.array([15, *[255] * 12], np.uint8), 100):
            found += _compare("100 qubits x 10,000 shots of IBM Runtime", large_job, recorder, (None, LARGE_BAR), LARGE)
        recorder.close()
        dropped = recorder.stats().dropped
    name = "events of IBM Runtime dropped in this benchmark"
    return [*found, {"name": name, "value": dropped, "unit": "", "bar": "0", "holds": dropped == 0}]


def _measured(rows: NDArray[np.uint8], bits: int) -> AbstractContextManager[Any]:
    """Have every job measure these outcomes: simulating takes longer, and varies more, than what is measured here."""
    data = DataBin(meas=BitArray(rows, bits))
    result = PrimitiveResult([SamplerPubResult(data, {"shots": len(rows)})])
    return patch.object(BackendSamplerV2, "_run", lambda *_: result)


def _compare(
    name: str,
    job: Callable[[], None],
    recorder: Recorder,
    bars: tuple[float | None, float | None],
    sizes: Sizes,
) -> list[dict[str, Any]]:
    best = {True: _NEVER, False: _NEVER}
    rounds, jobs = sizes
    instrumentations = [QiskitInstrumentation(), IbmInstrumentation()]
    _measure(job, recorder, jobs)
    for number in range(rounds):
        for watched in (number % 2 == 0, number % 2 == 1):
            undos = (
                [each.install(recorder, sys.modules[m]) for each in instrumentations for m in each.modules]
                if watched
                else []
            )
            measured = _measure(job, recorder, jobs)
            best[watched] = tuple(map(min, best[watched], measured))
            for undo in reversed(undos):
                undo()
    caller, process, wall = ((a - b) * 1e6 for a, b in zip(best[True], best[False], strict=True))
    return [
        _row(f"{name}: CPU of the caller's thread", caller, bars[0]),
        _row(f"{name}: CPU of the process", process, bars[1]),
        _row(f"{name}: wall overhead, best of {rounds} rounds", wall, None),
    ]


def _measure(job: Callable[[], None], recorder: Recorder, jobs: int) -> tuple[float, float, float]:
    """Seconds a job of: caller's CPU, process CPU until all is written, wall time of the jobs alone."""
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
        print(f"{row['name']:70} {row['value']:>10} {row['unit']:8} {row['bar'] or '':8} {row['holds']}")
