"""What the SDK costs the program it watches: `emit` in the caller's thread, sustained rate, import time.

`python benchmarks/emit.py` prints the table; `rows()` is what `make bench` collects. Calls are timed
one by one with the monotonic clock, whose own cost (about 0.05 µs) is left in.
"""

import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from quantum_mlops.events import Job, MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

Row = dict[str, object]

HOT_CALLS = 60_000
COLD_CALLS = 300
PAUSE_SECONDS = 0.01
SUSTAINED_SECONDS = 3.0
SUSTAINED_BAR = 50_000
IMPORTS = 9


def row(name: str, value: float, unit: str, bar: float | None = None, *, at_least: bool = False) -> Row:
    holds = bar is None or (value >= bar if at_least else value <= bar)
    text = None if bar is None else f"{'≥' if at_least else '≤'} {bar:,}"
    return {"name": name, "value": round(value, 3), "unit": unit, "bar": text, "holds": holds}


def percentile(samples: list[int], share: float) -> float:
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * share))] / 1000


def hot(call: Callable[[], object], calls: int = HOT_CALLS) -> list[int]:
    """Nanoseconds of each of many calls, in bursts, so that the queue is drained between them."""
    clock = time.perf_counter_ns
    samples = []
    for number in range(calls):
        start = clock()
        call()
        samples.append(clock() - start)
        if number % 5000 == 4999:
            time.sleep(0.06)
    return samples


def cold(*calls: Callable[[], object], rounds: int = COLD_CALLS) -> list[list[int]]:
    """Nanoseconds of calls that each follow a pause, as in a training loop: caches have cooled.

    The calls take turns, so that what the machine does to one it does to all.
    """
    clock = time.perf_counter_ns
    samples: list[list[int]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, samples, strict=True):
            time.sleep(PAUSE_SECONDS)
            start = clock()
            call()
            found.append(clock() - start)
    return samples


def emit_rows(folder: Path) -> list[Row]:
    recorder = Recorder(Settings(spool=str(folder / "emit"), project="bench"))
    metric = MetricLogged(values={"loss": 0.3, "accuracy": 0.9}, phase="train")
    job = Job(job_id="1", provider="local", backend="hanoi", primitive="sampler", shots_requested=1024)
    values = {"loss": 0.3, "accuracy": 0.9}
    handler = logging.FileHandler(folder / "app.log")
    logger = logging.getLogger("bench")
    logger.propagate = False
    logger.addHandler(handler)
    with recorder.run("bench"):
        hot(lambda: recorder.emit("metric.logged", metric), 5000)
        warm = hot(lambda: recorder.emit("metric.logged", metric))
        paused, empty, paused_rival = cold(
            lambda: recorder.emit("job.completed", job),
            lambda: None,
            lambda: logger.warning("loss %f accuracy %f", 0.3, 0.9),
        )
        logged = hot(lambda: recorder.log_metrics(values, 7, "train"), 20_000)
        rival = hot(lambda: logger.warning("loss %f accuracy %f", 0.3, 0.9), 20_000)
    dropped = recorder.stats().dropped
    recorder.close(10)
    handler.close()
    return [
        row("emit, hot, p50", percentile(warm, 0.5), "µs", 2),
        row("emit, hot, p99", percentile(warm, 0.99), "µs", 10),
        row("emit, after a pause of 10 ms, p50", percentile(paused, 0.5), "µs", 25),
        row("emit, after a pause of 10 ms, p99", percentile(paused, 0.99), "µs", 75),
        row("beside it: an empty function after the same pause, p50", percentile(empty, 0.5), "µs"),
        row("beside it: an empty function after the same pause, p99", percentile(empty, 0.99), "µs"),
        row("instead: logging to a FileHandler after the same pause, p50", percentile(paused_rival, 0.5), "µs"),
        row("emit, events dropped in these", dropped, "events", 0),
        row("log_metrics of 2 values, hot, p50", percentile(logged, 0.5), "µs"),
        row("log_metrics of 2 values, hot, p99", percentile(logged, 0.99), "µs"),
        row("instead: logging to a FileHandler, hot, p50", percentile(rival, 0.5), "µs"),
        row("logging over emit, p50", percentile(rival, 0.5) / percentile(warm, 0.5), "times"),
    ]


def sustained_rows(folder: Path) -> list[Row]:
    """Emit at a paced 55,000 events/s for 3 s and count what reached the spool without a drop."""
    recorder = Recorder(Settings(spool=str(folder / "sustained"), project="bench"))
    metric = MetricLogged(values={"loss": 0.3, "accuracy": 0.9}, phase="train")
    pace = SUSTAINED_BAR * 1.1
    with recorder.run("bench"):
        recorder.flush(10)
        cpu, start, sent, longest = time.process_time(), time.perf_counter(), 0, 0
        while (passed := time.perf_counter() - start) < SUSTAINED_SECONDS:
            for _ in range(int(passed * pace) - sent):
                recorder.emit("metric.logged", metric)
                sent += 1
            longest = max(longest, recorder.stats().queued)
            time.sleep(0.001)
        took = time.perf_counter() - start
        complete = recorder.flush(10)
        cpu = time.process_time() - cpu
    stats = recorder.stats()
    recorder.close(10)
    rate = sent / took if complete and not stats.dropped else 0.0
    return [
        row("sustained emit without a drop, one process", rate, "events/s", SUSTAINED_BAR, at_least=True),
        row("longest queue while it was sustained (of 94,254)", longest, "events"),
        row("CPU of the whole process at that rate", cpu / sent * 1e6, "µs/event"),
    ]


def import_rows() -> list[Row]:
    """Wall time of `import quantum_mlops` in fresh interpreters, without the interpreter's own start."""
    code = "import time; t = time.perf_counter(); import quantum_mlops; print((time.perf_counter() - t) * 1e3)"
    samples = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(IMPORTS)
    ]
    return [
        row("import quantum_mlops, median", statistics.median(samples), "ms", 100),
        row("import quantum_mlops, minimum", min(samples), "ms"),
    ]


def rows() -> list[Row]:
    """Return the rows of this benchmark: {name, value, unit, bar, holds}; `bar` is None where it only compares."""
    with tempfile.TemporaryDirectory() as folder:
        return [*emit_rows(Path(folder)), *sustained_rows(Path(folder)), *import_rows()]


if __name__ == "__main__":
    for line in rows():
        verdict = "" if line["bar"] is None else f"{line['bar']}: {'holds' if line['holds'] else 'MISSED'}"
        print(f"{line['name']:<50} {line['value']:>12} {line['unit']:<9} {verdict}")
