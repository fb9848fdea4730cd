"""The daemon on a real Kafka: nothing it takes in is lost, what workers found is told once, whatever is killed when."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter

import httpx
import pytest

from qml_daemon.demo.receiver import ADDRESS, MESSAGES, Receiver
from qml_daemon.exporters.feed import Feed
from qml_daemon.kafka_reader import KafkaReader
from qml_daemon.places import STATUS
from qml_daemon.status import read_status
from quantum_mlops.events import ConfigApplied, Event, FindingChanged, MetricLogged, Tick, type_name
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.segment import SUFFIX
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.loop import KafkaLoop
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import create
from tests.waiting import wait_for

PARTITIONS = 4
SEED = 20261121
STREAMS = (Stream.EVENTS, Stream.FINDINGS)


class House:
    """One state folder on one set of topics, a receiver, and the daemon's lives."""

    def __init__(self, folder, bootstrap, prefix, more=""):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.said = folder / "daemon.log"
        self.process = None
        self.receiver = Receiver(folder)
        threading.Thread(target=self.receiver.serve_forever, daemon=True).start()
        (folder / "c.toml").write_text(
            f'[log]\nkind = "kafka"\n[kafka]\nbootstrap_servers = ["{bootstrap}"]\ntopic_prefix = "{prefix}"\n'
            f'partitions = {PARTITIONS}\n[http]\nlisten = "127.0.0.1:0"\n[state]\ndir = "{folder}"\n'
            f'[receivers.team]\nslack = {{ url_file = "{folder / ADDRESS}" }}\n'
            f'[route]\nreceiver = "team"\ngroup_by = ["..."]\ngroup_wait = "0s"\ngroup_interval = "1s"\n{more}'
        )

    def start(self, *, ready=True):
        environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        before = self.readies()
        with self.said.open("ab") as log:
            command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(self.folder / "c.toml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        if ready:
            wait_for(lambda: self.readies() > before or self.process.poll() is not None, "READY", 40)
            assert self.process.poll() is None, self.text()
        return self.process

    def readies(self):
        return self.text().count("READY") if self.said.is_file() else 0

    def text(self):
        return self.said.read_text()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def told(self):
        """Return the headlines that the receiver took."""
        path = self.folder / MESSAGES
        return path.read_text().splitlines() if path.is_file() else []

    def times_told(self, name):
        return sum(name in line for line in self.told())

    def outbox(self, status):
        connection = sqlite3.connect(f"file:{self.folder / 'outbox.sqlite'}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM outbox WHERE status = ?", (status,)).fetchone()[0]
        finally:
            connection.close()

    def url(self):
        return read_status(self.folder / STATUS).http

    def is_ready(self):
        return httpx.get(self.url() + "/-/ready", timeout=15)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.receiver.shutdown()
        self.receiver.server_close()


def settings_of(bootstrap, prefix):
    return KafkaSettings(bootstrap_servers=(bootstrap,), topic_prefix=prefix, partitions=PARTITIONS)


def make_topics(settings):
    loop = KafkaLoop(settings.servers)
    loop.run(create(settings, PARTITIONS), "making topics")
    loop.close()


@pytest.fixture
def topics(kafka, prefix):
    settings = settings_of(kafka, prefix)
    make_topics(settings)
    return settings


@pytest.fixture
def log(topics):
    made = KafkaLog(topics, writer="test")
    yield made
    made.close()


@pytest.fixture
def make_house(tmp_path, kafka, prefix):
    made = []

    def make(name="one", more="", bootstrap=kafka):
        made.append(House(tmp_path / name, bootstrap, prefix, more))
        return made[-1]

    yield make
    for house in made:
        house.close()


def find(log, name, change="opened", partition=0):
    """Let a worker commit one transition of a finding."""
    data = FindingChanged(
        finding_id=name,
        transition=0 if change == "opened" else 1,
        rule="CircuitDrift",
        series=f"iris/{name}",
        severity="critical",
        labels={"backend": "ibm_hanoi", "name": name},
        annotations={"summary": f"{name} is here"},
    )
    event = Event(
        id=f"{name}-{data.transition}",
        source="qml://derived/drift",
        type=type_name(f"finding.{change}"),
        time=time.time_ns(),
        partitionkey="iris",
        project="iris",
        data=data,
    )
    log.commit(partition, Commit(findings=[event], watermark=b"w"))


def emit(folder, number, first=0):
    recorder = Recorder(Settings(spool=str(folder / "spool"), project="iris"))
    recorder.start()
    for value in range(first, first + number):
        recorder.emit("metric.logged", MetricLogged(values={"accuracy": float(value)}))
    assert recorder.close(10.0)


def events(log, kind, partition=None):
    """Return the events whose data are of a kind, with all that were appended twice."""
    found = []
    for number in range(log.partitions) if partition is None else [partition]:
        offset = 0
        while records := log.read(Stream.EVENTS, number, offset, 1000):
            offset = records[-1].offset + 1
            found += [one.event for one in records if isinstance(one.event, Event) and isinstance(one.event.data, kind)]
    return found


def test_without_topics_the_start_is_one_clear_line_and_exit_code_2(make_house):
    house = make_house()
    assert house.start(ready=False).wait(30) == 2
    (line,) = house.text().splitlines()
    assert "has no topic" in line
    assert "quantum-mlops kafka init" in line


def test_where_no_broker_answers_the_start_is_one_clear_line_and_an_exit_code_soon(make_house):
    house = make_house(bootstrap="127.0.0.1:1")
    assert house.start(ready=False).wait(30) == 1
    (line,) = house.text().splitlines()
    assert "Kafka at 127.0.0.1:1" in line
    assert "cannot be reached" in line


def test_ticks_and_rules_are_in_every_partition_and_other_rules_act_everywhere_at_once(make_house, log):
    house = make_house()
    house.start()
    wait_for(lambda: len(events(log, Tick, 0)) >= 3, "ticks", 15)
    assert house.stop() == 0
    ticks = [[one.key for one in events(log, Tick, number)] for number in range(PARTITIONS)]
    assert all(len(part) >= 3 for part in ticks)
    assert len({tuple(part) for part in ticks}) == 1
    assert len(set(ticks[0])) == len(ticks[0])
    configs = [events(log, ConfigApplied, number) for number in range(PARTITIONS)]
    assert {(one.data.effective, one.key) for part in configs for one in part} == {(0, configs[0][0].key)}
    assert [len(part) for part in configs] == [1] * PARTITIONS

    with (house.folder / "c.toml").open("a") as file:
        file.write('[[rules.threshold]]\nname = "Low"\nmetric = "accuracy"\nbelow = 0.5\n')
    house.start()
    house.stop()
    configs = [events(log, ConfigApplied, number) for number in range(PARTITIONS)]
    assert [len(part) for part in configs] == [2] * PARTITIONS
    assert len({(part[1].data.effective, part[1].key) for part in configs}) == 1
    assert all(part[1].data.effective > part[1].ingestedtime for part in configs)
    house.start()
    house.stop()
    assert [len(events(log, ConfigApplied, number)) for number in range(PARTITIONS)] == [2] * PARTITIONS


@pytest.mark.timeout(240)
def test_each_finding_is_told_once_although_the_daemon_is_killed_after_each(make_house, log):
    house = make_house()
    for number in range(6):
        house.start()
        find(log, f"finding-{number}", partition=number % PARTITIONS)
        wait_for(lambda number=number: house.outbox("sent") == number + 1, "told and stored", 20)
        house.kill()
    house.start()
    find(log, "finding-0", "closed")
    wait_for(lambda: house.outbox("sent") == 7, "the end told", 20)
    assert house.stop() == 0
    assert Counter(house.times_told(f"finding-{number} is here") for number in range(1, 6)) == {1: 5}
    assert house.times_told("finding-0 is here") == 2  # firing, and resolved
    assert "Traceback" not in house.text()


@pytest.mark.timeout(240)
def test_under_random_kills_no_finding_is_left_out_and_each_is_decided_once(make_house, log):
    house, dice = make_house(), random.Random(SEED)
    print(f"seed {SEED}")  # noqa: T201 - shown where it fails
    for number in range(12):
        house.start(ready=number % 3 == 0)
        for part in range(2):
            find(log, f"found-{number}-{part}", partition=dice.randrange(PARTITIONS))
        time.sleep(dice.uniform(0.0, 1.5))
        house.kill()
    house.start()
    wait_for(lambda: house.outbox("sent") == 24, "all told", 60)
    assert house.stop() == 0
    names = [f"found-{number}-{part} is here" for number in range(12) for part in range(2)]
    assert all(house.times_told(name) >= 1 for name in names)
    # A kill between the receiver's answer and its note leaves one to be sent again, and nothing more.
    assert sum(house.times_told(name) for name in names) - len(names) <= 12
    assert house.outbox("failed") == house.outbox("waiting") == 0


@pytest.mark.timeout(240)
def test_the_spool_is_taken_whole_under_sigkill(make_house, log):
    house, dice = make_house(), random.Random(SEED)
    recorder = Recorder(Settings(spool=str(house.folder / "spool"), project="iris"))
    recorder.start()
    emitted = 0
    house.start()
    for _ in range(6):
        deadline = time.monotonic() + dice.uniform(0.3, 2.5)
        while time.monotonic() < deadline:
            for _ in range(20):
                recorder.emit("metric.logged", MetricLogged(values={"accuracy": float(emitted)}))
                emitted += 1
            time.sleep(0.02)
        house.kill()
        house.start(ready=dice.random() < 0.7)
    assert recorder.close(10.0)
    wait_for(lambda: len({one.key for one in events(log, MetricLogged)}) >= emitted, "all events", 60)
    found = events(log, MetricLogged)
    values = {one.key: one.data.values["accuracy"] for one in found}
    assert sorted(values.values()) == [float(value) for value in range(emitted)]
    wait_for(lambda: not list((house.folder / "spool").glob(f"*{SUFFIX}")), "an empty spool", 20)
    assert house.stop() == 0
    print(f"{emitted} events, {len(found) - emitted} appended again after {6} kills")  # noqa: T201 - a figure for who looks


@pytest.mark.timeout(240)
def test_while_the_broker_is_away_the_daemon_serves_and_afterwards_nothing_is_missing(tmp_path, own_broker):
    broker = own_broker()
    settings = settings_of(broker.bootstrap, "away.")
    make_topics(settings)
    house = House(tmp_path / "house", broker.bootstrap, "away.")
    try:
        house.start()
        emit(house.folder, 100)
        log = KafkaLog(settings, writer="test")
        wait_for(lambda: len(events(log, MetricLogged)) == 100, "the first events", 20)
        assert house.is_ready().status_code == 200
        log.close()

        broker.kill()
        emit(house.folder, 100, 100)
        wait_for(lambda: house.is_ready().status_code == 503, "not ready", 60)
        wait_for(lambda: "Kafka at" in house.is_ready().text, "the reason", 60)
        assert httpx.get(house.url() + "/-/healthy").status_code == 200
        assert httpx.get(house.url() + "/api/v1/runs").status_code == 200
        assert "Kafka at" in (read_status(house.folder / STATUS).fault or "")
        assert house.process.poll() is None

        broker.start()
        log = KafkaLog(settings, writer="test")
        wait_for(lambda: house.is_ready().status_code == 200, "ready again", 60)
        wait_for(lambda: len({one.key for one in events(log, MetricLogged)}) == 200, "all events", 60)
        find(log, "after-the-outage")
        wait_for(lambda: house.times_told("after-the-outage"), "the finding told", 30)
        log.close()
        assert house.stop() == 0
        assert house.times_told("after-the-outage") == 1
        assert house.text().count("the log goes on") >= 1
        assert len(house.text().splitlines()) < 40, house.text()
        assert "Traceback" not in house.text()
    finally:
        house.close()


@pytest.mark.timeout(240)
def test_of_two_daemons_on_the_same_topics_the_second_is_refused_while_the_first_lives(make_house, log):
    first, second = make_house("one"), make_house("two")
    first.start()
    assert second.start(ready=False).wait(40) == 2
    (line,) = second.text().splitlines()
    assert f"pid {first.process.pid}" in line
    first.kill()
    second.start()
    find(log, "found")
    wait_for(lambda: second.times_told("found"), "told by the second", 20)
    assert second.stop() == 0
    assert not first.told()


@pytest.mark.timeout(240)
def test_a_daemon_that_hung_while_another_took_over_ends_and_tells_nothing(make_house, log):
    first, second = make_house("one"), make_house("two")
    first.start()
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    find(log, "found")
    wait_for(lambda: second.times_told("found"), "told by the second", 20)
    first.process.send_signal(signal.SIGCONT)
    assert first.process.wait(60) == 2
    assert "took over" in first.text().splitlines()[-1]
    assert "Traceback" not in first.text()
    assert not first.told()
    assert second.process.poll() is None
    assert second.stop() == 0


def test_what_workers_count_is_absent_and_doctor_says_where_to_look(make_house, log):
    house = make_house()
    house.start()
    emit(house.folder, 10)
    wait_for(lambda: len(events(log, MetricLogged)) == 10, "the events", 20)
    told = 'qml_events_total{type="metric.logged"} 10'
    wait_for(lambda: told in httpx.get(house.url() + "/metrics").text, "the figures", 10)
    figures = [line for line in httpx.get(house.url() + "/metrics").text.splitlines() if not line.startswith("#")]
    assert not [line for line in figures if line.startswith(("qml_runner", "qml_log_records", "qml_log_limit"))]
    assert read_status(house.folder / STATUS).runner is None
    done = subprocess.run(
        [sys.executable, "-m", "quantum_mlops", "doctor", "--config", str(house.folder / "c.toml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    lines = {line[5:18].strip(): line for line in done.stdout.splitlines()}
    assert "workers process: see quantum-mlops kafka status" in lines["lag"]
    assert f"{PARTITIONS} partitions" in lines["log"]
    assert house.stop() == 0


def test_an_exporters_reader_sees_all_partitions_in_the_order_of_time_and_goes_on(topics, log):
    for number in range(40):
        project = f"project-{number % 7}"
        event = Event(
            id=f"{number:016x}",
            source="qml://host/a/0",
            type=type_name("metric.logged"),
            time=number,
            partitionkey=project,
            project=project,
            data=MetricLogged(values={"accuracy": float(number)}),
        )
        log.append([event])
    reader = KafkaReader(topics, "exporter-test")
    try:
        places = [(Stream.EVENTS, number) for number in range(PARTITIONS)]
        assert sum(reader.end(*place) for place in places) == 40
        feed, seen = Feed(reader, {}), []
        wait_for(lambda: seen.extend(feed.take(100)) or len(seen) == 40, "all events", 20)
        assert {record.event.id for _, record in seen} == {f"{number:016x}" for number in range(40)}
        wait_for(lambda: feed.lag(feed.next) == 0, "no lag", 10)
        later = Feed(reader, {place: reader.seek(*place, seen[20][1].ingestedtime) for place in places})
        again = []
        wait_for(lambda: again.extend(later.take(100)) or len(again) >= 20, "the rest", 20)
        assert again[0][1].ingestedtime // 1_000_000 >= seen[20][1].ingestedtime // 1_000_000
    finally:
        reader.close()


def test_a_reload_begins_a_new_life_on_the_same_lease_and_loses_nothing(make_house, log):
    house = make_house()
    house.start()
    emit(house.folder, 10)
    with (house.folder / "c.toml").open("a") as file:
        file.write('[[rules.threshold]]\nname = "Low"\nmetric = "accuracy"\nbelow = 0.5\n')
    command = [sys.executable, "-m", "quantum_mlops", "reload", "--config", str(house.folder / "c.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    emit(house.folder, 10, 10)
    wait_for(lambda: len({one.key for one in events(log, MetricLogged)}) == 20, "all events", 20)
    assert [len(events(log, ConfigApplied, number)) for number in range(PARTITIONS)] == [2] * PARTITIONS
    find(log, "found")
    wait_for(lambda: house.times_told("found is here"), "the finding told", 20)
    assert house.stop() == 0
    assert house.times_told("found is here") == 1
