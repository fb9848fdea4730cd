"""A log, a spool and providers by script around one follower; what it tells comes back into the log as in the daemon."""

import threading
import time
from datetime import UTC, datetime

import pytest

from qml_daemon.following.outlet import Outlet
from qml_daemon.following.status import store_path
from qml_daemon.following.store import FollowerStore
from qml_daemon.following.worker import Follower, Parts, Terms
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_producers.observing.door import Sight
from quantum_mlops.clock import SECOND, system_clock
from quantum_mlops.errors import ConfigError
from quantum_mlops.events import Circuit, Context, Cost, Event, Job, Money, ProviderTimes, short_name, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

NOW = datetime.fromtimestamp(time.time_ns() // SECOND, UTC)
TIMES = ProviderTimes(created=NOW, started=NOW, ended=NOW)
QUEUED, RUNNING = Sight(status="queued"), Sight(status="running")
COMPLETED = Sight(status="completed", times=TIMES, shots_executed=1024, qpu_seconds=3.0)
BILLED = Sight(
    status="completed", times=TIMES, shots_executed=1024, qpu_seconds=3.0,
    cost=Cost(final=Money(amount="1.20", currency="USD")), is_billed=True,
)  # fmt: skip


class ScriptedDoor:
    """Answers by the job's script, its last line for ever; `gate` holds it up while it is cleared."""

    def __init__(self, script, gate=None, fault=None):
        self.script = {job: list(lines) for job, lines in script.items()}
        self.asked, self.opened, self.closed = [], 0, 0
        self.fault = fault
        self.gate = gate or threading.Event()
        if gate is None:
            self.gate.set()

    def open(self):
        self.opened += 1
        if self.fault is not None:
            raise ConfigError(self.fault)
        return self

    def look(self, job):
        self.gate.wait(30)
        self.asked.append(job)
        lines = self.script[job.job_id]
        answer = lines.pop(0) if len(lines) > 1 else lines[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed += 1


class Room:
    def __init__(self, folder, clock=system_clock):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.log = SqliteLog(folder / "store.sqlite", clock=clock)
        self.log.move_cursors({"log-id": b"one"})
        self.intake = Intake(self.log, folder / "spool", system_clock, this_host())
        self.shown, self.reports = [], []
        self.number = 0
        self.followers = []

    def event(self, status, job="j1", provider="ibm", project="iris", **fields):
        self.number += 1
        data = Job(
            job_id=job, provider=provider, provider_job_id=job, backend="ibm_fez", shots_requested=1024, executions=1,
            circuits=[Circuit(identity="c1:ab")], **fields,
        )  # fmt: skip
        return Event(
            id=f"{self.number:016x}", source="qml://lab/n/0", type=type_name(f"job.{status}"), time=time.time_ns(),
            partitionkey=project, project=project, context=Context(runid="r1", step=3), data=data,
        )  # fmt: skip

    def tell(self, *events):
        self.log.append(list(events))

    def follow(self, doors, **terms):
        given = {"interval_seconds": 0.01, "calls_per_minute": 6000, "max_jobs": 1000, "timeout_seconds": 1.0} | terms
        parts = Parts(
            reader=SqliteLog.open_reader(self.folder / "store.sqlite"),
            store=FollowerStore(store_path(self.folder)),
            outlet=Outlet(self.folder / "spool"),
            show=self.shown.append,
            report=self.reports.append,
        )
        follower = Follower({name: door.open for name, door in doors.items()}, Terms(**given), parts, system_clock)
        self.followers.append(follower)
        return follower

    def drive(self, follower, until, seconds=30.0):
        """Let the follower work, and the daemon take in what it tells, until a condition holds."""
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, (follower.status("running"), self.kinds())
            follower.step(time.monotonic())
            follower.take_answers(0.01)
            self.intake.poll(1000)

    def events(self):
        return [record.event for record in self.log.read(Stream.EVENTS, 0, 0, 10_000)]

    def kinds(self, job="j1"):
        """What is in the log of a job but not by its trainer."""
        return [
            short_name(event.type) for event in self.events() if event.data.job_id == job and event.source[:4] == "urn:"
        ]

    def close(self):
        for follower in self.followers:
            follower.close(0.1)
        self.intake.close()
        self.log.close()


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def scripted():
    return ScriptedDoor


@pytest.fixture
def sights():
    return {"queued": QUEUED, "running": RUNNING, "completed": COMPLETED, "billed": BILLED}


@pytest.fixture
def short_pauses(monkeypatch):
    """The first pause after a failure is not a second."""
    monkeypatch.setattr("qml_producers.following.pace._FIRST_PAUSE_SECONDS", 0.05)
