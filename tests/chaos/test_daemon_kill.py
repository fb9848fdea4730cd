"""kill -9 of the whole daemon, at random, under load: nothing lost, nothing twice, nothing renamed."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from qml_daemon.comparison import compare_replay
from qml_daemon.history import read_findings, read_records
from qml_daemon.notification import Notification
from qml_processors.runner import Runner, load_processors, replay
from quantum_mlops.events import Event, MetricLogged
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

KILLS = 25
RUNS = 40
SEED = 20261121

CONFIG = """
[http]
listen = "127.0.0.1:0"
[receivers.team]
log = {}
[route]
receiver = "team"
group_by = ["..."]
group_wait = "0s"
group_interval = "1s"
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "c.toml").write_text(f'{CONFIG}[state]\ndir = "{tmp_path}"\n')
    return tmp_path


def start(folder: Path) -> subprocess.Popen[bytes]:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
    with (folder / "daemon.log").open("ab") as log:
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(folder / "c.toml")]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environ)


class Load:
    """About a thousand metrics a second of forty runs, in bursts; every 25th value of a run breaks the bound."""

    def __init__(self, spool: Path) -> None:
        self.recorder = Recorder(Settings(spool=str(spool), project="iris"))
        self.emitted = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.recorder.start()
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(0.04):
            for _ in range(RUNS):
                step, run = divmod(self.emitted, RUNS)
                values = {"accuracy": 0.4 if (step + run) % 25 < 5 else 0.9}
                self.recorder.emit(
                    "metric.logged", MetricLogged(values=values), context={"runid": f"r{run}", "step": step}
                )
                self.emitted += 1

    def stop(self) -> None:
        self._end.set()
        self._thread.join()
        assert self.recorder.close(5.0)


@pytest.fixture
def load(folder: Path) -> Iterator[Load]:
    found = Load(folder / "spool")
    yield found
    found._end.set()


def metrics(reader) -> list[Event]:
    records = read_records(reader, Stream.EVENTS)
    return [record.event for record in records if isinstance(record.event, Event) and isinstance(record.event.data, MetricLogged)]  # fmt: skip


def is_told(reader, outbox: Path) -> bool:
    """Whether the last that was sent of each run is what its findings are: firing, or resolved if it ever fired."""
    firing = {one.labels["run"] for one in read_findings(reader) if one.status == "firing"}
    connection = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)
    rows = connection.execute("SELECT body FROM outbox WHERE status = 'sent' ORDER BY number").fetchall()
    connection.close()
    last = {
        alert.labels["run"]: alert.status
        for (body,) in rows
        for alert in msgspec.msgpack.decode(body, type=Notification).alerts
    }
    return firing <= last.keys() and all(
        status == ("firing" if run in firing else "resolved") for run, status in last.items()
    )


@pytest.mark.timeout(240)
def test_after_25_kills_under_load_every_event_is_there_once_and_every_finding_is_the_same(
    folder: Path, load: Load
) -> None:
    dice = random.Random(SEED)
    said = folder / "daemon.log"
    began = time.monotonic()
    daemon = start(folder)
    wait_for(lambda: b"READY" in said.read_bytes(), "READY", 60)
    to_ready = time.monotonic() - began
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    for _ in range(KILLS):
        daemon = start(folder)
        # From within the imports to seconds of work: also while it starts, recovers, checkpoints and sends.
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(dice.uniform(0.3, 1.3 * to_ready + 1.0))
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
    load.stop()
    daemon = start(folder)
    wait_for((folder / "store.sqlite").is_file, "the store", 30)
    reader = SqliteLog.open_reader(folder / "store.sqlite")
    wait_for(lambda: len(metrics(reader)) >= load.emitted, "all events in the log", 60)
    wait_for(lambda: compare_replay(reader).is_identical, "all findings in the log", 30)
    wait_for(lambda: is_told(reader, folder / "outbox.sqlite"), "every alert's last state told", 30)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(15) == 0

    counted = Counter(event.key for event in metrics(reader))
    assert len(counted) == load.emitted
    assert set(counted.values()) == {1}
    seen = {(event.context.runid, event.context.step) for event in metrics(reader)}
    assert len(seen) == load.emitted

    compared = compare_replay(reader)
    assert compared.is_identical
    assert len(compared.transitions) > RUNS
    replayed = replay(reader, load_processors()).states
    reader.close()

    log = SqliteLog(folder / "store.sqlite")
    runner = Runner(log, load_processors())
    assert runner.open(0)
    assert runner.states() == replayed
    assert runner.stats().partitions[0].mismatches == 0
    log.close()

    assert b"Traceback" not in said.read_bytes()
    assert said.read_bytes().count(b"READY") > KILLS // 3  # many a kill met a daemon at work
