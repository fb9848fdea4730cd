"""An installation moves from SQLite to Kafka: alerts that fire go on firing, nobody is told twice, a kill does not harm."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from qml_daemon.demo.receiver import ADDRESS, MESSAGES, Receiver
from qml_processors.runner import Runner, load_processors
from qml_processors.transfer import carry
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.memory import MemoryLog
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

COMMON = """
[http]
listen = "127.0.0.1:0"
[state]
dir = "state"
[spool]
dir = "spool"
[receivers.team]
slack = {{ url_file = "{address}" }}
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
KAFKA = """
[log]
kind = "kafka"
[kafka]
bootstrap_servers = ["{kafka}"]
topic_prefix = "{prefix}"
group = "{prefix}g"
partitions = 3
"""


class Home:
    """One state folder with a configuration for each kind of log, and what its receiver was told."""

    def __init__(self, folder, kafka, prefix):
        self.folder = folder
        self.receiver = Receiver(folder)
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        common = COMMON.format(address=folder / ADDRESS)
        (folder / "sqlite.toml").write_text(common)
        (folder / "kafka.toml").write_text(KAFKA.format(kafka=kafka, prefix=prefix) + common)
        self.running = []

    def command(self, kind, *words):
        return [sys.executable, "-m", "quantum_mlops", *words, "--config", str(self.folder / f"{kind}.toml")]

    def environ(self):
        return {name: text for name, text in os.environ.items() if not name.startswith("QML_")}

    def run(self, kind, *words):
        done = subprocess.run(
            self.command(kind, *words), env=self.environ(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, kind, *words):
        with (self.folder / "said.log").open("ab") as said:
            process = subprocess.Popen(self.command(kind, *words), env=self.environ(), stdout=said, stderr=said)
        self.running.append(process)
        return process

    def stop(self):
        for process in self.running:
            process.terminate()
        codes = [process.wait(40) for process in self.running]
        self.running.clear()
        assert codes == [0] * len(codes), (self.folder / "said.log").read_text()

    def emit(self, accuracy):
        recorder = Recorder(Settings(spool=str(self.folder / "spool"), project="iris"))
        recorder.start()
        recorder.emit("metric.logged", MetricLogged(values={"accuracy": accuracy}))
        assert recorder.close(10.0)

    def told(self):
        path = self.folder / MESSAGES
        return path.read_text().splitlines() if path.is_file() else []

    def close(self):
        for process in self.running:
            process.kill()
            process.wait()
        self.receiver.shutdown()
        self.receiver.server_close()


@pytest.fixture
def home(tmp_path, kafka, prefix):
    made = Home(tmp_path, kafka, prefix)
    yield made
    made.close()


def test_an_alert_that_fires_while_the_log_moves_is_told_once_and_resolved_afterwards(home) -> None:
    home.start("sqlite", "daemon")
    home.emit(0.25)
    wait_for(lambda: len(home.told()) == 1, "the alert", 60)
    home.stop()
    home.run("kafka", "kafka", "init")
    assert " 1 open findings" in home.run("kafka", "kafka", "import")
    home.start("kafka", "worker", "--listen", "off")
    home.start("kafka", "daemon")
    home.emit(0.75)
    wait_for(lambda: len(home.told()) >= 2, "the end of the alert", 90)
    said = home.run("kafka", "alerts")
    assert "0 firing, 1 resolved" in said
    home.stop()
    first, last = home.told()
    assert "resolved" not in first.lower()
    assert "resolved" in last.lower()
    assert "total 0" in home.run("kafka", "kafka", "lag")


def test_an_import_that_is_killed_anywhere_goes_on_and_ends_as_an_undisturbed_one(home, kafka, prefix) -> None:
    path = home.folder / "state" / "store.sqlite"
    source = SqliteLog(path)
    start = time.time_ns() - 10**12
    for number in range(6000):
        key = f"p{number % 40}"
        source.append(
            [
                Event(
                    id=f"{number // 40:016x}", source=f"qml://h/a/{key}", type=type_name("metric.logged"),
                    time=start + number * 10**8, ingestedtime=start + number * 10**8, partitionkey=key, project=key,
                    data=MetricLogged(values={"accuracy": 1.0, "loss": float(number)}),
                )
            ]
        )  # fmt: skip
    states(source)
    source.close()
    home.run("kafka", "kafka", "init")
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to do it again
    chance = random.Random(seed)
    for part in ("events:", "findings:", "events:"):  # killed where these are done, or a little later
        process = subprocess.Popen(
            home.command("kafka", "kafka", "import"), env=home.environ(), stderr=subprocess.PIPE, text=True
        )
        for line in process.stderr:
            if line.startswith(part):
                break
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    home.run("kafka", "kafka", "import")
    whole = MemoryLog(3)
    reader = SqliteLog.open_reader(path)
    carry(reader, whole, load_processors(), "whole")
    reader.close()
    log = KafkaLog(KafkaSettings(bootstrap_servers=(kafka,), topic_prefix=prefix, group=f"{prefix}g"), writer="test")
    try:
        assert states(log) == states(whole)
    finally:
        log.close()


def states(log):
    runner = Runner(log, load_processors())
    for partition in range(log.partitions):
        assert runner.open(partition)
    while runner.process_batch(2000):
        pass
    found = runner.states()
    runner.close()
    return found
