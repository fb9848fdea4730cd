"""A trainer submits to IBM, Braket and IonQ and is killed; the daemon's follower brings its jobs to their end and bill.

The SDKs and doors are the real ones; the providers are servers on this machine.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from qml_daemon.following.status import ProviderStatus, read_follower_status
from quantum_mlops.events import Event, Job, short_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.providers.braket import GARNET, BraketCloud, Script
from tests.providers.ibm import IbmCloud, JobScript
from tests.providers.ionq import IonqCloud
from tests.waiting import wait_for

CONFIG = """
[state]
dir = "state"
[http]
listen = "127.0.0.1:0"
[follower]
enabled = true
interval = "1s"
calls_per_minute = 600
"""

TRAINER = """
import sys, time, warnings
warnings.simplefilter("ignore")
import quantum_mlops
quantum_mlops.autolog(project="iris")
from qiskit import QuantumCircuit, transpile

def bell():
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit

def submit_ibm():
    from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2
    import os
    service = QiskitRuntimeService(channel="ibm_quantum_platform", token=os.environ["QISKIT_IBM_TOKEN"],
                                   instance=os.environ["QISKIT_IBM_INSTANCE"], url=os.environ["QISKIT_IBM_URL"])
    backend = service.backends()[0]
    return SamplerV2(mode=backend).run([transpile(bell(), backend)], shots=100).job_id()

def submit_braket():
    from braket.aws import AwsDevice
    from braket.circuits import Circuit
    return AwsDevice(sys.argv[1]).run(Circuit().h(0).cnot(0, 1), shots=100).id

def submit_ionq():
    from qiskit_ionq import IonQProvider
    return IonQProvider().get_backend("ionq_qpu.forte-1").run(bell(), shots=100).job_id()

with quantum_mlops.run("killed") as run:
    run.step = 7
    for submit in (submit_ibm, submit_braket, submit_ionq):
        print(submit(), flush=True)
    quantum_mlops.flush(10)
    print(run.id, flush=True)
    sys.stdin.read()
"""


class House:
    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "c.toml").write_text(CONFIG)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        self.environ = kept | environ | {"QML_SPOOL_DIR": str(self.state / "spool")}
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *command: str, **pipes: int) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, *command], text=True, env=self.environ, cwd=self.folder, **pipes)
        self.running.append(process)
        return process

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quantum_mlops", *words, "--config", str(self.folder / "c.toml")]
        return subprocess.run(command, capture_output=True, text=True, env=self.environ, cwd=self.folder, timeout=60)

    def daemon(self) -> subprocess.Popen[str]:
        process = self.start("-m", "quantum_mlops", "daemon", "--config", "c.toml", stderr=subprocess.PIPE)
        assert process.stderr is not None
        assert any("READY" in line for line in iter(process.stderr.readline, ""))
        return process

    def jobs(self) -> list[Event]:
        if not (self.state / "store.sqlite").exists():
            return []
        reader = SqliteLog.open_reader(self.state / "store.sqlite")
        try:
            events = [record.event for record in reader.read(Stream.EVENTS, 0, 0, 10_000)]
        finally:
            reader.close()
        return [event for event in events if isinstance(event, Event) and isinstance(event.data, Job)]

    def kinds(self, job: str) -> list[str]:
        return [str(short_name(event.type)) for event in self.jobs() if event.data.job_id == job]

    def providers(self) -> list[ProviderStatus]:
        status = read_follower_status(self.state)
        return [] if status is None else list(status.providers.values())

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def clouds():
    with IbmCloud() as ibm, BraketCloud() as braket, IonqCloud() as ionq:
        ibm.script(JobScript(statuses=("Queued", "Running"), qpu_seconds=2.5, bill_after=1))
        braket.scripts.append(Script(statuses=("QUEUED", "QUEUED", "RUNNING", "COMPLETED")))
        ionq.statuses = ("ready", "started", "completed")
        yield ibm, braket, ionq


@pytest.fixture
def house(tmp_path, clouds):
    ibm, braket, ionq = clouds
    made = House(tmp_path, {**ibm.environ, **braket.environ(), "IONQ_API_URL": ionq.url, "IONQ_API_KEY": ionq.key})
    yield made
    made.close()


def test_jobs_of_a_killed_trainer_come_to_their_end_and_their_bill_once(house):
    trainer = house.start("-c", TRAINER, GARNET, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    *jobs, run = (trainer.stdout.readline().strip() for _ in range(4))
    assert all(jobs), "the trainer failed"
    trainer.send_signal(signal.SIGKILL)
    trainer.wait(10)
    assert trainer.returncode == -signal.SIGKILL

    daemon = house.daemon()
    wait_for(lambda: all("job.created" in house.kinds(job) for job in jobs), "the trainer told of its jobs")
    wait_for(lambda: all("job.billed" in house.kinds(job) for job in jobs), "every job is billed", 60)
    for job in jobs:
        events = [event for event in house.jobs() if event.data.job_id == job]
        counts = Counter(short_name(event.type) for event in events)
        assert (counts["job.created"], counts["job.completed"], counts["job.billed"]) == (1, 1, 1)
        assert max(counts.values()) == 1
        assert {(event.project, event.partitionkey, event.context.runid, event.context.step) for event in events} == {
            ("iris", "iris", run, 7)
        }
        assert len({event.data.backend for event in events}) == 1
        assert len({event.data.provider for event in events}) == 1
        end = next(event.data for event in events if short_name(event.type) == "job.completed")
        assert end.times.ended is not None
        bill = next(event.data for event in events if short_name(event.type) == "job.billed")
        assert bill.qpu_seconds is not None or bill.cost.final is not None
        assert bill.circuits[0].identity.startswith("c1:")

    wait_for(
        lambda: [one.open_jobs + one.unbilled_jobs for one in house.providers() if one.looks] == [0, 0, 0], "figures"
    )
    doctor = house.run("doctor", "--json")
    said = [one["text"] for one in json.loads(doctor.stdout) if one["name"] == "follower"]
    assert said[0] == "0 open jobs"
    assert [text.split(":")[0] for text in said[1:]] == ["braket", "ibm", "ionq"]
    daemon.send_signal(signal.SIGTERM)
    with contextlib.suppress(ValueError):
        daemon.communicate(timeout=15)
    assert daemon.returncode == 0
    wait_for(lambda: read_follower_status(house.state).state == "stopped", "the follower ends with the daemon")
