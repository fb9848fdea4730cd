"""Time of a scrape with every label at its bound, and of taking events for it.

Run alone: python benchmarks/metrics.py
"""

import gzip
import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta

from prometheus_client.exposition import choose_encoder

from qml_daemon.metrics.bounds import CAPS
from qml_daemon.metrics.collector import build_registry
from qml_daemon.metrics.watched import Watched
from quantum_mlops.clock import system_clock
from quantum_mlops.events import (
    CalibrationColumn,
    CalibrationSnapshot,
    Context,
    Cost,
    Event,
    FindingChanged,
    Job,
    Money,
    RunStarted,
    type_name,
)
from quantum_mlops.events.job import ProviderTimes
from quantum_mlops.transports.base import Record, Stream

JOBS = 40_000
SCRAPES = 30
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
STATUSES = ("created", "queued", "running", "completed", "failed", "cancelled", "unknown")


def job_records(number: int) -> list[Record]:
    """Return the events of more backends and projects than have names."""
    began = datetime(2026, 11, 1, tzinfo=UTC)
    records = []
    for index in range(number):
        backend, project = f"backend-{index % 130}", f"project-{index % 127}"
        data = Job(
            job_id=f"job-{index}",
            backend=backend,
            provider=f"provider-{index % 5}",
            shots_executed=1024,
            executions=32,
            duration_seconds=index % 4000,
            times=ProviderTimes(queued=began, started=began + timedelta(seconds=index), ended=began + timedelta(seconds=2 * index)),
            cost=Cost(final=Money(amount="1.60", currency="USD")),
        )  # fmt: skip
        records.append(record(index, f"job.{STATUSES[index % 7]}", project, data))
    return records


def other_records() -> list[Record]:
    """Return runs and calibrations of more projects and backends than have names."""
    column = CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[1e-4], times=[1.8e9])
    calibrations = [
        CalibrationSnapshot(backend=f"backend-{n}", calibration_id="c", columns=[column]) for n in range(130)
    ]
    return [record(n, "calibration.snapshot", "", data) for n, data in enumerate(calibrations)] + [
        record(n, "run.started", f"project-{n}", RunStarted(name="r")) for n in range(130)
    ]


def finding_records() -> list[Record]:
    """Return open findings of more rules than have names."""
    return [
        record(
            n, "finding.opened", "p",
            FindingChanged(
                finding_id=f"f{n}", transition=0, rule=f"Rule{n % 130}", series="s", severity="critical",
                labels={"backend": f"backend-{n % 130}"}, values={"hellinger": 0.2},
            ),
        )
        for n in range(1000)
    ]  # fmt: skip


def record(offset: int, short: str, project: str, data) -> Record:
    now = system_clock()
    event = Event(
        id=f"{offset:016x}", source="qml://host/0123456789ab/0", type=type_name(short), time=now, partitionkey=project,
        project=project, context=Context(runid=f"run-{offset % 500}"), ingestedtime=now, data=data,
    )  # fmt: skip
    return Record(offset, event, now)


def take(watched: Watched, stream: Stream, records: list[Record]) -> float:
    """Show the records as the follower does; return its CPU time."""
    began = time.process_time()
    for at in range(0, len(records), 500):
        watched.take(stream, 0, records[at : at + 500])
    return time.process_time() - began


def scrape(registry, accept: str) -> tuple[list[float], bytes]:
    """Return the CPU times in ms and the body, compressed as over HTTP."""
    times, body = [], b""
    for _ in range(SCRAPES):
        began = time.process_time()
        body = choose_encoder(accept)[0](registry)
        gzip.compress(body, 1)
        times.append((time.process_time() - began) * 1e3)
    return times, body


def rows() -> list[dict]:
    """Return the measured rows for the table of `make bench`."""
    watched = Watched(system_clock, {})
    records = job_records(JOBS)
    seconds = take(watched, Stream.EVENTS, records)
    take(watched, Stream.EVENTS, other_records())
    take(watched, Stream.FINDINGS, finding_records())
    registry = build_registry([watched.figures])
    found = []
    for name, accept in (("text", ""), ("OpenMetrics", OPENMETRICS)):
        times, body = scrape(registry, accept)
        lines = sum(not line.startswith(b"#") for line in body.splitlines())
        median = statistics.median(times)
        title = f"metrics: /metrics as {name} at the label bounds ({CAPS['backend']}), {lines} samples"
        found.append({"name": title, "value": round(median, 1), "unit": "ms CPU", "bar": "≤ 50", "holds": median <= 50})
    found.append(
        {
            "name": "metrics: job events counted",
            "value": round(JOBS / seconds),
            "unit": "1/s",
            "bar": None,
            "holds": True,
        }
    )
    return found


if __name__ == "__main__":
    for row in rows():
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
