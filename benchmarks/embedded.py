"""The whole embedded path on one core: spool → log → processors → outputs, with mixed events.

Canaries with the noise of sampling keep drift at work, metrics under two rules the thresholds; both find
something now and then.

Segments are written beforehand by the SDK's own writer; what is timed is what the daemon does: intake,
append, runner with every installed processor, commit. Beside it: how fast the same events are only
stored (intake alone), which is what a service without processors would do.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_processors.runner import Runner, apply_config, load_processors
from qml_processors.runner.collector import settle
from quantum_mlops.clock import system_clock
from quantum_mlops.config.rules import Rules, ThresholdRule
from quantum_mlops.events import Context, Footprint, Job, MetricLogged, Outcomes, RunStarted, ShotsMeasured, type_name
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

EVENTS = 60_000
BATCH = 500
BARS = {10: None, 1_000: 40_000, 10_000: 25_000, 100_000: None}
M, CREATED, COMPLETED = "metrics", "job.created", "job.completed"
ORDER = [
    M, CREATED, M, M, CREATED, M, M, CREATED, M, M, COMPLETED, M, M, COMPLETED, M, M, COMPLETED, M, "shots", "canary",
]  # fmt: skip
"""Of 20 events of a run 12 metrics, 3 jobs created, 3 completed, shots and a canary."""
APART = 100_000
"""Nanoseconds between two events."""
BREACH_EVERY = 400
RULES = Rules(
    threshold=[
        ThresholdRule(name="HighLoss", metric="loss", above=1.0),
        ThresholdRule(name="LowAccuracy", metric="val_accuracy", below=0.8),
    ]
)
_pack = msgspec.msgpack.Encoder().encode


class Canaries:
    """Outcomes of a few canaries with the noise of sampling; each turns worse for 20 executions of 120."""

    def __init__(self, series: int) -> None:
        self.series = series
        self.executions = [0] * series
        self.random = np.random.default_rng(1)
        self.usual = self.random.dirichlet(np.full(16, 4.0))
        self.worse = 0.7 * self.usual + 0.3 / 16 * np.arange(16) / 7.5

    def measure(self, run: int, job_id: str) -> ShotsMeasured:
        """Return the next execution of the canary that `run` shares with others."""
        number = run % self.series
        self.executions[number] += 1
        probabilities = self.worse if self.executions[number] % 120 >= 100 else self.usual
        counts = self.random.multinomial(4096, probabilities / probabilities.sum()).tolist()
        first = 4 * number
        footprint = Footprint(qubits=[first, first + 1, first + 2, first + 3], calibration_id="k1:" + "0" * 16)
        return ShotsMeasured(
            job_id=job_id, backend="ibm_hanoi", circuit="c1:" + "0" * 32, shots=4096, reference="canary",
            footprint=footprint, outcomes=Outcomes(bits=4, keys=bytes(range(16)), counts=counts),
        )  # fmt: skip


def mixed(runs: int, count: int) -> Iterator[tuple[SpoolClass, str, Context, object]]:
    """Yield events of `runs` runs in turn, each run somewhere else in ORDER; breaches and drift now and then."""
    outcomes = Outcomes(bits=4, keys=bytes(range(16)), counts=[64] * 16)
    canaries = Canaries(min(8, max(1, runs // 2)))
    for number in range(count):
        turn, run = divmod(number, runs)
        place = turn + run
        context = Context(runid=f"run-{run:06d}", step=turn)
        job_id = f"job-{run}-{place // len(ORDER)}-{place // 3 % 3}"
        match "run" if turn == 0 else ORDER[place % len(ORDER)]:
            case "run":
                yield SpoolClass.LIFECYCLE, "run.started", context, RunStarted(name=f"vqc-{run}", host="lab")
            case "metrics":
                loss = 2.0 if place % BREACH_EVERY == 0 else 0.5 + place % 13 / 100
                accuracy = 0.5 if place % BREACH_EVERY == BREACH_EVERY // 2 else 0.9
                data = MetricLogged(values={"loss": loss, "val_accuracy": accuracy}, phase="train")
                yield SpoolClass.BULK, "metric.logged", context, data
            case "canary":
                yield SpoolClass.BULK, "canary.measured", context, canaries.measure(run, job_id)
            case "shots":
                shots = ShotsMeasured(
                    job_id=job_id, backend="ibm_hanoi", circuit="c1:" + "1" * 32, shots=1024, outcomes=outcomes
                )  # fmt: skip
                yield SpoolClass.BULK, "shots.measured", context, shots
            case status:
                job = Job(job_id=job_id, provider="ibm", backend="ibm_hanoi", primitive="sampler", shots_requested=1024)
                yield SpoolClass.LIFECYCLE, status, context, job


def fill(folder: Path, runs: int, count: int) -> None:
    """Write the events as one process of a user would."""
    writer = SpoolWriter(folder, this_process("0123456789ab", "0.1.0"))
    sequences = {SpoolClass.LIFECYCLE: 0, SpoolClass.BULK: 0}
    began = time.time_ns() - count * APART
    batches: dict[SpoolClass, list[bytes]] = {SpoolClass.LIFECYCLE: [], SpoolClass.BULK: []}
    for number, (spool_class, short, context, data) in enumerate(mixed(runs, count)):
        now = began + number * APART
        stream = 1 if spool_class is SpoolClass.LIFECYCLE else 2
        record = SpoolRecord(
            stream, sequences[spool_class], type_name(short), now, "iris", "iris", context, msgspec.Raw(_pack(data))
        )
        sequences[spool_class] += 1
        batches[spool_class].append(_pack(record))
        if number % 200 == 199:
            for kind, batch in batches.items():
                writer.write(kind, batch, now)
                batch.clear()
    for kind, batch in batches.items():
        if batch:
            writer.write(kind, batch, began + count * APART)
    writer.close()


def through(runs: int, count: int, *, processors: bool = True) -> dict[str, float]:
    """Run the path over `count` events and return its figures."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "spool").mkdir()
        fill(folder / "spool", runs, count)
        log = SqliteLog(folder / "log.sqlite")
        intake = Intake(log, folder / "spool", system_clock, this_host())
        runner = Runner(log, load_processors() if processors else [])
        runner.open(0)
        if processors:
            apply_config(log, runner, RULES, system_clock, "bench")
            while runner.process_batch(BATCH):
                pass
        settle()
        batches: list[float] = []
        began, began_cpu = time.perf_counter(), time.process_time()
        taken = done = 0
        while done < count:
            taken += intake.poll(BATCH)
            start = time.perf_counter()
            did = runner.process_batch(BATCH) if processors else taken - done
            batches.append(time.perf_counter() - start)
            done = taken if not did else done + did
        wall, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        series = sum(partition.series for partition in runner.stats().partitions)
        batches.sort()
        del runner
        again = Runner(log, load_processors() if processors else [])
        start = time.perf_counter()
        again.open(0)
        recovery = time.perf_counter() - start
        findings = log.end(Stream.FINDINGS, 0)
        log.close()
        return {
            "rate": count / wall, "cpu_rate": count / cpu, "series": float(series), "recovery": recovery,
            "p99": batches[min(len(batches) - 1, int(len(batches) * 0.99))], "p50": batches[len(batches) // 2],
            "findings": float(findings),
        }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Measure at each number of series."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    through(50, 5_000)  # first use of scipy is a start's cost
    found: list[dict[str, Any]] = []
    for series, bar in BARS.items():
        count = max(EVENTS, 2 * series)
        runs = max(1, series // 5)  # a run has five series; backends, jobs and windows are few
        figures = through(runs, count)
        place = f"embedded path, {int(figures['series']):,} series"
        rate = figures["rate"]
        if not figures["findings"]:
            raise SystemExit("processors that find nothing were not at work")
        found += [
            {
                "name": place,
                "value": rate,
                "unit": "events/s",
                "bar": None if bar is None else f">= {bar:,}",
                "holds": bar is None or rate >= bar,
            },
            {
                "name": f"{place}: batch p99",
                "value": figures["p99"] * 1e3,
                "unit": "ms",
                "bar": "<= 50",
                "holds": figures["p99"] <= 0.05,
            },
            {
                "name": f"{place}: recovery",
                "value": figures["recovery"],
                "unit": "s",
                "bar": "<= 5",
                "holds": figures["recovery"] <= 5,
            },
        ]
    alone = through(250, EVENTS, processors=False)
    found.append(
        {
            "name": "intake alone (spool → log, no processors)",
            "value": alone["rate"],
            "unit": "events/s",
            "bar": None,
            "holds": True,
        }
    )
    return found


if __name__ == "__main__":
    for row in rows():
        print(row)
