"""kill -9 of the daemon while clients send over HTTP: what was acknowledged is in the log, and found once."""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.comparison import compare_replay
from qml_daemon.history import read_records
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Event, MetricLogged
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

KILLS = 10
CLIENTS = 3
BATCH = 40
SEED = 20261121
HEADERS = {"content-type": "application/cloudevents-batch+json"}
CONFIG = """
[http]
listen = "127.0.0.1:0"
[log]
durability = "normal"
[rules.summaries]
enabled = false
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
"""


class Daemon:
    """One daemon after the other on the same folder; `url` is None while none is ready."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = folder / "daemon.log"
        (folder / "c.toml").write_text(f'{CONFIG}[state]\ndir = "{folder}"\n')
        self.url: str | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        before = self.said.stat().st_size if self.said.is_file() else 0
        environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(self.folder / "c.toml")]
        with self.said.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
        deadline = time.monotonic() + 60
        while (found := re.search(rb"READY .* http=(\S+) ", self.said.read_bytes()[before:])) is None:
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.url = found[1].decode()

    def kill(self) -> None:
        assert self.process is not None
        self.url = None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(15) == 0


class Client(threading.Thread):
    """Sends numbered batches, each again until it is acknowledged, and some once more, as if the answer was lost."""

    def __init__(self, daemon: Daemon, number: int) -> None:
        super().__init__()
        self.daemon_under_test = daemon
        self.source = f"qml://client/{number:012x}/0"
        self.acknowledged: list[int] = []
        self.tried_again = 0
        self.end = threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        for first in itertools.count(0, BATCH):
            if self.end.is_set():
                return
            body = json.dumps([self.event(number) for number in range(first, first + BATCH)]).encode()
            while not self.post(body):
                self.tried_again += 1
                time.sleep(0.01)
                if self.failure is not None:
                    return
            self.acknowledged += range(first, first + BATCH)
            if first // BATCH % 7 == 3:
                self.post(body)

    def post(self, body: bytes) -> bool:
        url = self.daemon_under_test.url
        if url is None:
            return False
        try:
            answer = httpx.post(f"{url}/api/v1/events", content=body, headers=HEADERS, timeout=5, trust_env=False)
        except httpx.HTTPError:
            return False
        if answer.status_code == 202 and answer.json() == {"accepted": BATCH, "rejected": []}:
            return True
        if answer.status_code != 503:
            self.failure = answer.text
        return False

    def event(self, number: int) -> dict[str, object]:
        return {
            "specversion": "1.0",
            "id": f"{number:016x}",
            "source": self.source,
            "type": "quantum_mlops.metric.logged.v1",
            "time": format_time(time.time_ns() // SECOND * SECOND),
            "project": "iris",
            "runid": self.source[-4:],
            "step": number,
            "data": {"values": {"accuracy": 0.4 if number // 100 % 2 else 0.9}},
        }


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    found = Daemon(tmp_path)
    yield found
    if found.process is not None and found.process.poll() is None:
        found.kill()


def metrics(reader) -> list[Event]:
    records = read_records(reader, Stream.EVENTS)
    return [record.event for record in records if isinstance(record.event, Event) and isinstance(record.event.data, MetricLogged)]  # fmt: skip


@pytest.mark.timeout(180)
def test_after_kills_every_acknowledged_event_is_in_the_log_and_its_findings_are_there_once(daemon: Daemon) -> None:
    dice = random.Random(SEED)
    clients = [Client(daemon, number) for number in range(CLIENTS)]
    daemon.start()
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.05, 1.2))  # the instant of the kill is what the test is about
            daemon.kill()
            daemon.start()
    finally:
        for client in clients:
            client.end.set()
        for client in clients:
            client.join(60)
    assert [client.failure for client in clients] == [None] * CLIENTS
    daemon.stop()

    reader = SqliteLog.open_reader(daemon.folder / "store.sqlite")
    found = Counter((event.source, int(event.id, 16)) for event in metrics(reader))
    for client in clients:
        assert client.acknowledged
        assert client.acknowledged == list(range(len(client.acknowledged)))
        assert {number for source, number in found if source == client.source} >= set(client.acknowledged)
    sent = sum(len(client.acknowledged) for client in clients)
    assert len(found) == sent  # every batch that was begun was sent until it was acknowledged
    assert sum(client.tried_again for client in clients) > 0
    compared = compare_replay(reader)
    reader.close()
    assert compared.is_identical
    changes = Counter(one.change for one in compared.transitions if one.rule.partition("/")[0] == "Low")
    lengths = [len(client.acknowledged) for client in clients]
    # A value breaks the bound from each 100th of 200 on and keeps it again from each 200th on.
    assert changes["opened"] == sum((length + 99) // 200 for length in lengths)
    assert changes["closed"] == sum((length - 1) // 200 for length in lengths)
    assert max(found.values()) > 1  # what was sent again is in the log twice; the findings do not show it
    assert b"Traceback" not in daemon.said.read_bytes()
