"""What watching costs a job of IonQ's: instrumented against bare, in pairs within one run, without the network.

The job is 4 qubits, 1,024 shots, seen waiting and completed: of one circuit, or of a new bound one each time, as in a
training loop. The real qiskit-ionq runs, but its HTTP is answered in place and its conversions of circuits and
results, 12 ms a job in which our share would be lost, are made once. CPU is that of the caller's thread
(`time.thread_time`) and of the whole process (`time.process_time`), the recorder's thread included.
"""

import json
import os
import statistics
import tempfile
import time
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import qiskit_ionq
import requests
from qiskit.circuit.library import real_amplitudes
from qiskit_ionq import ionq_client, ionq_job

from qml_producers.ionq.instrumentation import IonqInstrumentation
from qml_producers.ionq.outcomes import packed
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

ROUNDS = 30
JOBS = 10  # of one side of a round: the recorder writes every 50 ms, so single jobs cannot be told apart
CALLER_BAR, PROCESS_BAR, WIDE_BAR = 60.0, 400.0, 5.0


def rows() -> list[dict[str, Any]]:
    """Measure small jobs and one wide one."""
    ansatz = real_amplitudes(4, reps=2)
    ansatz.measure_all()
    rng = np.random.default_rng(7)
    probabilities = {str(key): float(p) for key, p in enumerate(rng.dirichlet(np.ones(16)))}
    service = _Service(probabilities)
    backend = _backend(service)
    _leave_out_the_sdks_work(backend.run(ansatz.assign_parameters(np.ones(12)), shots=1024))

    circuit = ansatz.assign_parameters(rng.uniform(-3, 3, 12))

    def job() -> None:
        backend.run(circuit, shots=1024).result(wait=0)

    def new_circuit() -> None:
        backend.run(ansatz.assign_parameters(rng.uniform(-3, 3, 12)), shots=1024).result(wait=0)

    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Settings(spool=folder, project="bench"))
        recorder.start()
        found = [
            *_compare("4-qubit IonQ job", job, recorder, (CALLER_BAR, PROCESS_BAR)),
            *_compare("4-qubit IonQ job, a new circuit each", new_circuit, recorder, (None, None)),
            _wide_row(rng),
        ]
        recorder.close()
        dropped = recorder.stats().dropped
    found.append(
        {"name": "events dropped in this benchmark", "value": dropped, "unit": "", "bar": "0", "holds": dropped == 0}
    )
    return found


def _wide_row(rng: Any) -> dict[str, Any]:
    """CPU of packing what a wide job measured, the most that it costs beside the small one: best of 9."""
    counts = {"".join(map(str, row)): 1 for row in rng.integers(0, 2, (10_000, 100))}
    times = []
    for _ in range(9):
        start = time.thread_time()
        packed(counts)
        times.append((time.thread_time() - start) * 1e3)
    return _row("100 qubits, 10,000 distinct outcomes, packed", min(times), WIDE_BAR, "ms")


def _leave_out_the_sdks_work(job: Any) -> None:
    """Let the SDK take what it made of this job for all others: its conversions are the same with us and without."""
    result, document = job.result(wait=0), ionq_client.qiskit_to_ionq(job.circuit, job.backend(), {"shots": 1024})
    ionq_client.qiskit_to_ionq = lambda *_: document
    ionq_job.decompress_metadata_string = lambda _: {}
    ionq_job.IonQJob._format_result = lambda *_: result  # noqa: SLF001 - the conversion itself


class _Service:
    """IonQ's answers, without a network."""

    def __init__(self, probabilities: dict[str, float]) -> None:
        self.probabilities = probabilities
        self._jobs: dict[str, list[Any]] = {}

    def post(self, _url: str, *, data: str, **_: Any) -> Any:
        name = f"job-{len(self._jobs)}"
        self._jobs[name] = [json.loads(data), ["ready", "completed"]]
        return _answer({"id": name, "status": "submitted"})

    def get(self, url: str, **_: Any) -> Any:
        if url.endswith("/probabilities"):
            return _answer(self.probabilities)
        name = url.rpartition("/")[2]
        body, left = self._jobs[name]
        status = left.pop(0)
        if status != "completed":
            return _answer(
                {"id": name, "status": status, "submitted_at": "2026-11-21T10:00:00Z", "predicted_wait_time_ms": 5}
            )
        found = {
            "id": name,
            "status": status,
            "backend": "qpu.forte-1",
            "metadata": body["metadata"],
            "shots": body["shots"],
            "submitted_at": "2026-11-21T10:00:00.000Z",
            "started_at": "2026-11-21T10:00:04.000Z",
            "completed_at": "2026-11-21T10:00:05.000Z",
            "predicted_wait_time_ms": 5000,
            "predicted_execution_duration_ms": 900,
            "execution_duration_ms": 1000,
            "stats": {"qubits": body["input"]["qubits"], "circuits": 1},
            "results": {"probabilities": {"url": f"/v0.4/jobs/{name}/results/probabilities"}},
        }
        return _answer(found)


def _answer(document: Any) -> Any:
    return types.SimpleNamespace(status_code=200, text=json.dumps(document), json=lambda: document)


def _backend(service: _Service) -> Any:
    os.environ["IONQ_API_URL"] = "http://127.0.0.1:9/v0.4"  # the number of qubits is asked for apart; nobody is there
    ionq_client.requests = types.SimpleNamespace(  # type: ignore[assignment]
        get=service.get, post=service.post, exceptions=requests.exceptions
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return qiskit_ionq.IonQProvider("key", url="http://127.0.0.1:9/v0.4").get_backend("qpu.forte-1")


def _compare(
    name: str, job: Callable[[], None], recorder: Recorder, bars: tuple[float | None, float | None]
) -> list[dict[str, Any]]:
    """Median differences of the caller's CPU and of the process's, µs a job."""
    differences: list[tuple[float, float]] = []
    instrumentation = IonqInstrumentation()
    _measure(job, recorder)
    for number in range(ROUNDS):
        sides = {}
        for watched in (number % 2 == 0, number % 2 == 1):
            undo = instrumentation.install(recorder, qiskit_ionq) if watched else lambda: None
            sides[watched] = _measure(job, recorder)
            undo()
        caller, process = ((a - b) * 1e6 for a, b in zip(sides[True], sides[False], strict=True))
        differences.append((caller, process))
    callers, processes = zip(*differences, strict=True)
    return [
        _row(f"{name}: CPU of the caller's thread", statistics.median(callers), bars[0]),
        _row(f"{name}: CPU of the process", statistics.median(processes), bars[1]),
    ]


def _measure(job: Callable[[], None], recorder: Recorder) -> tuple[float, float]:
    """Seconds a job of: caller's CPU, process CPU until all is written."""
    process, caller = time.process_time(), time.thread_time()
    for _ in range(JOBS):
        job()
    caller = time.thread_time() - caller
    recorder.flush(10)
    return caller / JOBS, (time.process_time() - process) / JOBS


def _row(name: str, value: float, bar: float | None, unit: str = "µs") -> dict[str, Any]:
    told = None if bar is None else f"<= {bar:g}"
    return {"name": name, "value": value, "unit": unit, "bar": told, "holds": bar is None or value <= bar}
