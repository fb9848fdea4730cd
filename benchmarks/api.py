"""Answers over HTTP with 1,000,000 events stored, and what it costs to keep the views that answer them.

The log and the views are filled with mixed events (of 20: 12 metrics with two values, 3 jobs created, 3 completed,
shots and a canary) of 1,000 runs, 5 backends and 3 projects. The first 60,000 go the whole way, log and projector,
and are timed: CPU of the projector per event. The rest is copied in bulk inside the two files, rows of events and
rows of jobs with keys, ids and times after those before, so that the tables and their indexes have the size of a
million events: 153,000 jobs beside 2,000 series, 1,000 runs and 10,000 findings. Questions are then asked over a
real connection to the real app, one after the other; p99 of the wall time, the least of three rounds.

Run alone: python benchmarks/api.py
"""

import random
import sqlite3
import tempfile
import time
from pathlib import Path

import httpx

from qml_daemon.follow import Follower
from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.query import routes
from qml_daemon.query.lists import Sources
from qml_daemon.views.projector import no_listener
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import (
    Circuit,
    Context,
    Event,
    Evidence,
    FindingChanged,
    Job,
    MetricLogged,
    RunStarted,
    ShotsMeasured,
    type_name,
)
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.sqlite import SqliteLog

EVENTS = 1_000_000
THROUGH = 60_000
BATCH = 500
RUNS, BACKENDS, PROJECTS, FINDINGS = 1_000, 5, 3, 10_000
ROUNDS, ASKED = 3, 150
START = 1_790_000_000 * SECOND
ORDER = ("m", "c", "m", "m", "c", "m", "m", "c", "m", "m", "d", "m", "m", "d", "m", "m", "d", "m", "s", "k")


def make_event(number: int, runs: int = RUNS) -> Event:
    """Return the n-th event."""
    block, place = divmod(number, len(ORDER))
    run = block % runs
    backend = f"ibm_{run % BACKENDS}"
    letter = ORDER[place]
    name, data = "metric.logged", MetricLogged(values={"loss": 1.0 / (block + 1), "accuracy": 0.9}, phase="train")
    if letter in "cd":
        job = f"job-{block}-{ORDER[:place].count(letter)}"
        circuits = [Circuit(identity="c1:0123456789abcdef", width=4, depth=12, two_qubit_gates=6)] * 4
        name = "job.created" if letter == "c" else "job.completed"
        data = (
            Job(job_id=job, backend=backend, shots_requested=1024, circuits=circuits)
            if letter == "c"
            else Job(job_id=job, backend=backend, shots_executed=1024, duration_seconds=0.31)
        )
    elif letter in "sk":
        name = "shots.measured" if letter == "s" else "canary.measured"
        data = ShotsMeasured(job_id=f"job-{block}-0", backend=backend, circuit="c1:0123456789abcdef", shots=1024)
    if block < runs and place == 0:
        name, data = "run.started", RunStarted(name=f"vqc-{run}", tags={"who": "ada"}, host="lab1")
    project = f"project-{run % PROJECTS}"
    return Event(
        id=f"{number:016x}", source=f"qml://host/0123456789ab/{run}", type=type_name(name), time=START + number * 1000,
        partitionkey=project, project=project, context=Context(runid=f"run-{run}", step=block), data=data,
    )  # fmt: skip


def make_finding(number: int) -> Event:
    """Return the opening of the n-th finding."""
    data = FindingChanged(
        finding_id=f"{number:032x}", transition=0, rule=("CircuitDrift", "HighLoss", "JobStuck")[number % 3],
        series=f"project-0/drift/{number}", severity="warning", evidence=Evidence(events=[("qml://h/n/0", "1")]),
        labels={"backend": f"ibm_{number % BACKENDS}", "run": f"run-{number % RUNS}"}, values={"value": 0.1},
        annotations={"summary": "the outcomes moved by more than shot noise explains"},
    )  # fmt: skip
    return Event(
        id=f"f-{number}", source="qml://derived/drift", type=type_name("finding.opened"), time=START + number,
        partitionkey="project-0", project="project-0", data=data,
    )  # fmt: skip


def project_microseconds(folder: Path, runs: int) -> float:
    """Return the CPU of the projector per event."""
    folder.mkdir()
    clock = ManualClock(START)
    log = SqliteLog(folder / "store.sqlite", clock=clock)
    views = Views(folder, log, 30 * DAY, no_listener)
    consumer = views.seat.consumer
    for at in range(0, THROUGH, BATCH):
        clock.now += SECOND // 100
        log.append([make_event(number, runs) for number in range(at, at + BATCH)])
    spent, offset = 0.0, 0
    while records := log.read(Stream.EVENTS, 0, offset, BATCH):
        began = time.process_time()
        consumer.take(Stream.EVENTS, 0, records)
        spent += time.process_time() - began
        offset = records[-1].offset + 1
    views.close()
    log.close()
    return spent / THROUGH * 1e6


def fill(folder: Path) -> None:
    """Make a log and views of a million events."""
    clock = ManualClock(START)
    log = SqliteLog(folder / "store.sqlite", clock=clock)
    views = Views(folder, log, 365 * DAY, no_listener)
    follower = Follower(log, [views.seat])
    for at in range(0, THROUGH, BATCH):
        clock.now += SECOND
        log.append([make_event(number) for number in range(at, at + BATCH)])
    for at in range(0, FINDINGS, BATCH):
        clock.now += SECOND
        findings = [make_finding(number) for number in range(at, at + BATCH)]
        log.commit(0, Commit(findings=findings, watermark=b""))
    while follower.step():
        pass
    views.close()
    log.close()
    times = EVENTS // THROUGH
    later = THROUGH // BATCH * SECOND
    _multiply(folder / "store.sqlite", times, "events_0", "offset", ("ingestedtime",), later)
    _multiply(folder / "views.sqlite", times, "jobs", "seq", ("seen", "changed"), later)


def _multiply(path: Path, times: int, table: str, key: str, clocks: tuple[str, ...], later: int) -> None:
    """Copy all rows `times` - 1 times, each copy with keys, names and times after those before it."""
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    last = connection.execute(f"SELECT max({key}) FROM {table}").fetchone()[0]  # noqa: S608 - our names
    shown = {column: column for column in columns}
    shown[key] = f"{key} + ? * {last + 1}"
    shown |= {clock: f"{clock} + ? * {later}" for clock in clocks}
    if "id" in shown:
        shown["id"] = "id || '-' || ?"
    sql = f"INSERT INTO {table} SELECT {', '.join(shown.values())} FROM {table} WHERE {key} <= {last}"  # noqa: S608 - our names
    for copy in range(1, times + (EVENTS % THROUGH > 0)):
        connection.execute(sql, [copy] * sql.count("?"))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def ask_milliseconds(client: httpx.Client, paths: list[tuple[str, dict[str, str]]]) -> float:
    """Return the 99th percentile of the wall time of questions, the least of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        times = []
        for path, parameters in paths:
            began = time.perf_counter()
            answer = client.get(f"/api/v1/{path}", params=parameters)
            times.append(time.perf_counter() - began)
            answer.raise_for_status()
        found.append(sorted(times)[int(0.99 * len(times))] * 1e3)
    return min(found)


def questions(client: httpx.Client) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return what is asked, by what it is."""
    chance = random.Random(1)
    deep, cursor = [], None
    for _ in range(ASKED):
        parameters = {"limit": "100"} | ({} if cursor is None else {"cursor": cursor})
        deep.append(("jobs", parameters))
        cursor = client.get("/api/v1/jobs", params=parameters).json()["next"]
    by = [
        {"backend": f"ibm_{chance.randrange(BACKENDS)}", "status": "completed"},
        {"project": f"project-{chance.randrange(PROJECTS)}"},
        {"run": f"run-{chance.randrange(RUNS)}"},
        {"status": "failed", "project": "project-1"},
        {"backend": "ibm_1", "status": "failed"},
        {"backend": "ibm_none", "project": "project-1"},
        {"since": "2026-09-21T14:00:00Z", "until": "2026-09-21T14:20:00Z"},
    ]
    mixed = [
        ("runs", {}),
        ("runs", {"status": "running", "project": "project-1"}),
        ("findings", {"open": "true"}),
        ("findings", {"rule": "JobStuck", "backend": "ibm_2"}),
        ("series", {"run": "run-7"}),
        ("series/run-7%2Floss".replace("%2F", "/"), {}),
        ("backends", {}),
        ("jobs/job-100-0", {}),
        (f"findings/{7:032x}", {}),
    ]
    return {
        "pages of jobs, one after the other": deep,
        "jobs by a filter": [("jobs", by[number % len(by)]) for number in range(ASKED)],
        "runs, findings, series, backends, single things": [mixed[n % len(mixed)] for n in range(ASKED)],
    }


def rows() -> list[dict[str, object]]:
    """Return the figures as rows of the table of `make bench`."""
    found: list[tuple[str, float, str, float | None]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for runs in (10, RUNS):
            spent = min(project_microseconds(folder / f"{runs}-{turn}", runs) for turn in range(2))
            bar = 15.0 if runs == 10 else None
            found.append((f"views: projector, CPU per event, {runs:,} runs, batches of 500", spent, "µs", bar))
        fill(folder)
        log = SqliteLog.open_reader(folder / "store.sqlite")
        count = sqlite3.connect(folder / "store.sqlite").execute("SELECT count(*) FROM events_0").fetchone()[0]
        writer_free = Views(folder, log, 365 * DAY, no_listener)
        jobs = sqlite3.connect(folder / "views.sqlite").execute("SELECT count(*) FROM jobs").fetchone()[0]
        server = HttpServer(
            build_app(routes.routes(Sources(views=writer_free.reader, log=log))), Address("127.0.0.1", 0)
        )
        server.start()
        with httpx.Client(base_url=server.address.url, trust_env=False, timeout=30) as client:
            for what, asked in questions(client).items():
                label = f"api: {what}, wall p99, {count:,} events, {jobs:,} jobs stored"
                found.append((label, ask_milliseconds(client, asked), "ms", 50.0))
        server.close()
        writer_free.close()
        log.close()
    return [
        {"name": name, "value": round(value, 3), "unit": unit, "bar": bar, "holds": bar is None or value <= bar}
        for name, value, unit, bar in found
    ]


if __name__ == "__main__":
    for row in rows():
        print(f"{row['name']:<110} {row['value']:>10} {row['unit']:<4} bar {row['bar']}  holds {row['holds']}")
