"""A real daemon and its HTTP service: where it listens, who gets in, from an event to its finding, the end."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.history import read_findings, read_records
from qml_daemon.status import read_status
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Event, MetricLogged
from quantum_mlops.timestamps import format_time
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

RULES = """
[state]
dir = "state"
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
"""
HEADERS = {"content-type": "application/cloudevents-batch+json"}


class Place:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        self.environ |= {"XDG_CONFIG_HOME": str(folder), "HOME": str(folder)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def configure(self, http: str) -> None:
        (self.folder / "quantum-mlops.toml").write_text(f"[http]\n{http}\n{RULES}")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quantum_mlops", *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60)

    def start(self) -> subprocess.Popen[bytes]:
        self.said = self.folder / f"daemon{len(self.processes)}.log"
        with self.said.open("wb") as log:
            command = [sys.executable, "-m", "quantum_mlops", "daemon"]
            self.processes.append(subprocess.Popen(command, cwd=self.folder, env=self.environ, stdout=log, stderr=log))
        wait_for(lambda: b"READY" in self.said.read_bytes() or self.processes[-1].poll() is not None, "READY")
        assert self.processes[-1].poll() is None, self.said.read_text()
        return self.processes[-1]

    @property
    def url(self) -> str:
        found = re.search(r"READY .* http=(\S+) ", self.said.read_text())
        assert found is not None
        return found[1]

    def stop(self) -> float:
        began = time.monotonic()
        self.processes[-1].send_signal(signal.SIGTERM)
        assert self.processes[-1].wait(15) == 0
        assert "Traceback" not in self.said.read_text()
        return time.monotonic() - began

    def metrics(self) -> list[Event]:
        reader = SqliteLog.open_reader(self.state / "store.sqlite")
        events = [record.event for record in read_records(reader, Stream.EVENTS)]
        reader.close()
        return [event for event in events if isinstance(event, Event) and isinstance(event.data, MetricLogged)]

    def firing(self) -> set[tuple[str, str]]:
        reader = SqliteLog.open_reader(self.state / "store.sqlite")
        found = {(one.labels["project"], one.labels["run"]) for one in read_findings(reader) if one.status == "firing"}
        reader.close()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    found.configure('listen = "127.0.0.1:0"')
    yield found
    for process in found.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def metric(number: int, accuracy: float = 0.9, **fields: str) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": str(number),
        "source": "curl",
        "type": "quantum_mlops.metric.logged.v1",
        "time": format_time(time.time_ns() // SECOND * SECOND),
        "project": "iris",
        "runid": "r1",
        "data": {"values": {"accuracy": accuracy}},
    } | fields


def test_from_a_posted_event_to_its_finding(place: Place) -> None:
    place.start()
    status = read_status(place.state / "status.json")
    assert status is not None
    assert status.http == place.url
    assert httpx.get(f"{place.url}/-/ready").text == "ready\n"
    answer = httpx.post(f"{place.url}/api/v1/events", json=[metric(1, 0.9), metric(2, 0.3), {}], headers=HEADERS)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    wait_for(lambda: place.firing() == {("iris", "r1")}, "the finding of iris")
    assert place.stop() < 5
    status = read_status(place.state / "status.json")
    assert status is not None
    assert (status.http, status.ingest.accepted, status.ingest.rejected) == (None, 2, {"malformed": 1})


def test_a_taken_port_is_a_mistake_told_in_one_line_and_the_store_stays_free(place: Place, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        place.configure(f'listen = "127.0.0.1:{port}"')
        refused = place.run("daemon")
    assert refused.returncode == 2
    said = refused.stderr.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"quantum-mlops: http.listen: port {port} of 127.0.0.1 is taken by another program")
    place.start()
    assert place.url == f"http://127.0.0.1:{port}"
    place.stop()


def test_off_is_no_service_and_ready_says_so(place: Place) -> None:
    place.configure('listen = "off"')
    place.start()
    assert place.url == "off"
    assert place.stop() < 5


def test_other_machines_need_tokens_and_a_tokens_file_that_is_there(place: Place) -> None:
    place.configure('listen = "0.0.0.0:0"')
    for command in (("config", "check"), ("daemon",)):
        refused = place.run(*command)
        assert refused.returncode == 2
        assert "http.tokens_file: 0.0.0.0:0 can be reached from other machines" in refused.stderr
    place.configure('listen = "0.0.0.0:0"\ntokens_file = "tokens.toml"')
    refused = place.run("daemon")
    assert refused.returncode == 2
    assert "tokens.toml: cannot be read: No such file or directory; quantum-mlops token add makes it" in refused.stderr


def shell_blocks() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.system_tool("curl")
def test_the_examples_of_the_documentation_run(place: Place) -> None:
    place.environ["PATH"] = f"{Path(sys.executable).parent}:{place.environ['PATH']}"
    one, batch, commands, with_token = shell_blocks()

    def run(script: str) -> str:
        script = script.replace("http://127.0.0.1:8765", place.url)
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=place.folder, env=place.environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    documented = re.findall(
        r"^    (\{.*\})$", (Path(__file__).parents[2] / "docs" / "http.md").read_text(), re.MULTILINE
    )
    place.start()
    assert [run(one), run(batch)] == documented
    place.stop()
    place.configure('listen = "127.0.0.1:0"\ntokens_file = "tokens.toml"')
    assert "lab-laptop           iris" in run(commands)
    place.start()
    assert run(with_token) == documented[0]
    place.stop()
    assert [event.id for event in place.metrics()] == ["1", "2"]


def test_a_token_made_and_removed_while_the_daemon_runs_opens_and_shuts(place: Place) -> None:
    place.configure('listen = "127.0.0.1:0"\ntokens_file = "tokens.toml"')
    assert place.run("token", "add", "first", "-p", "other").returncode == 0
    place.start()
    assert httpx.get(f"{place.url}/-/healthy").status_code == 200
    secret = place.run("token", "add", "lab", "-p", "vqe").stdout.strip()
    assert place.run("token", "add", "viewer", "-p", "vqe", "-s", "read").returncode == 0

    def send(number: int) -> int:
        headers = HEADERS | {"authorization": f"Bearer {secret}"}
        return httpx.post(f"{place.url}/api/v1/events", json=[metric(number, 0.3)], headers=headers).status_code

    wait_for(lambda: send(1) == 202, "the new token to be taken", 5)
    wait_for(lambda: place.firing() == {("vqe", "r1")}, "the finding of vqe")
    assert place.run("token", "remove", "lab").returncode == 0
    wait_for(lambda: send(2) == 401, "the old token to be refused", 5)
    assert httpx.post(f"{place.url}/api/v1/events", json=[metric(3)], headers=HEADERS).status_code == 401
    place.stop()
    assert {event.project for event in place.metrics()} == {"vqe"}
    assert secret not in place.said.read_text()


def test_a_stop_under_load_answers_or_refuses_every_request_and_loses_nothing_answered(place: Place) -> None:
    place.start()
    url, acknowledged, end = place.url, [], threading.Event()

    def send(first: int) -> None:
        for number in range(first, first + 1_000_000, 20):
            events = [metric(one) for one in range(number, number + 20)]
            try:
                answer = httpx.post(f"{url}/api/v1/events", json=events, headers=HEADERS, trust_env=False)
            except httpx.TransportError:
                return  # it is gone
            if answer.status_code == 202:
                acknowledged.extend(event["id"] for event in events)
            else:
                assert answer.status_code == 503
            if end.is_set():
                return

    senders = [threading.Thread(target=send, args=(first * 1_000_000,)) for first in range(3)]
    for sender in senders:
        sender.start()
    wait_for(lambda: len(acknowledged) > 500, "500 events")
    assert place.stop() < 5
    end.set()
    for sender in senders:
        sender.join(10)
    assert {event.id for event in place.metrics()} >= set(acknowledged)


def test_a_new_configuration_is_taken_over_with_the_service(place: Place) -> None:
    process = place.start()
    assert httpx.post(f"{place.url}/api/v1/events", json=[metric(1)], headers=HEADERS).status_code == 202
    place.configure('listen = "off"')
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: place.said.read_text().count("READY") == 2, "READY again")
    assert place.said.read_text().rpartition("READY")[2].split()[2] == "http=off"
    place.stop()
    assert json.loads((place.state / "status.json").read_text())["ingest"] is None
