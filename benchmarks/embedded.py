"""The whole embedded path on one core: spool → log → processors → outputs, with mixed events.

Segments are written beforehand by the SDK's own writer; what is timed is what the daemon does: intake,
append, runner with every installed processor, commit. Beside it: how fast the same events are only
stored (intake alone), which is what a service without processors would do.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_processors.runner import Runner, load_processors
from qml_processors.runner.collector import settle
from quantum_mlops.clock import system_clock
from quantum_mlops.events import Context, Job, MetricLogged, Outcomes, RunStarted, ShotsMeasured, type_name
from quantum_mlops.spool.segment import SpoolClass, SpoolRecord, this_process
from quantum_mlops.spool.writer import SpoolWriter
from quantum_mlops.transports.sqlite import SqliteLog

EVENTS = 60_000
BATCH = 500
BARS = {10: None, 1_000: 40_000, 10_000: 25_000, 100_000: None}
_pack = msgspec.msgpack.Encoder().encode


def mixed(runs: int, count: int) -> list[tuple[SpoolClass, str, Context, object]]:
    """Events of `runs` runs: of 20 events 12 metrics, 3 jobs created, 3 completed, 2 shots."""
    outcomes = Outcomes(bits=4, keys=bytes(range(16)), counts=[64] * 16)
    events: list[tuple[SpoolClass, str, Context, object]] = []
    for number in range(count):
        run, kind = number % runs, (number // runs if runs > 1 else number) % 20
        context = Context(runid=f"run-{run:06d}", step=number // runs % 1_000_000)
        job_id = f"job-{run}-{number // (runs * 20)}-{kind % 3}"
        if number < runs and kind == 0:
            events.append((SpoolClass.LIFECYCLE, "run.started", context, RunStarted(name=f"vqc-{run}", host="lab")))
        elif kind < 13:
            data = MetricLogged(values={"loss": 0.5 + kind / 100, "val_accuracy": 0.9}, phase="train")
            events.append((SpoolClass.BULK, "metric.logged", context, data))
        elif kind < 18:
            status = "job.created" if kind < 16 else "job.completed"
            job = Job(job_id=job_id, provider="ibm", backend="ibm_hanoi", primitive="sampler", shots_requested=1024)
            events.append((SpoolClass.LIFECYCLE, status, context, job))
        else:
            shots = ShotsMeasured(
                job_id=job_id, backend="ibm_hanoi", circuit="c1:" + "0" * 32, shots=1024, outcomes=outcomes
            )  # fmt: skip
            events.append((SpoolClass.BULK, "shots.measured", context, shots))
    return events


def fill(folder: Path, runs: int, count: int) -> None:
    """Write the events as one process of a user would."""
    writer = SpoolWriter(folder, this_process("0123456789ab", "0.1.0"))
    sequences = {SpoolClass.LIFECYCLE: 0, SpoolClass.BULK: 0}
    now = time.time_ns()
    batches: dict[SpoolClass, list[bytes]] = {SpoolClass.LIFECYCLE: [], SpoolClass.BULK: []}
    for number, (spool_class, short, context, data) in enumerate(mixed(runs, count)):
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
            writer.write(kind, batch, now)
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
        log.close()
        return {
            "rate": count / wall, "cpu_rate": count / cpu, "series": float(series), "recovery": recovery,
            "p99": batches[min(len(batches) - 1, int(len(batches) * 0.99))], "p50": batches[len(batches) // 2],
        }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Measure at each number of series."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    found: list[dict[str, Any]] = []
    for series, bar in BARS.items():
        count = max(EVENTS, 2 * series)
        runs = max(1, series // 2)  # a run has a series of thresholds and one of summaries; windows are few
        figures = through(runs, count)
        place = f"embedded path, {int(figures['series']):,} series"
        rate = figures["rate"]
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
