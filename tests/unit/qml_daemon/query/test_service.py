"""The daemon's own routes: with a log in a file, and with one in memory."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.configuration import read_config
from qml_daemon.runtime import Daemon
from quantum_mlops.clock import system_clock
from quantum_mlops.codec import encode
from quantum_mlops.events import Context, Event, Job, type_name


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[str], Daemon]]:
    running: list[tuple[Daemon, threading.Thread]] = []

    def start(kind: str) -> Daemon:
        path = tmp_path / "c.toml"
        path.write_text(f'[state]\ndir = "state"\n[log]\nkind = "{kind}"\n[http]\nlisten = "127.0.0.1:0"\n')
        made = Daemon(read_config(path, {}))
        made.start()
        thread = threading.Thread(target=made.run)
        thread.start()
        running.append((made, thread))
        return made

    yield start
    for made, thread in running:
        made.stop.set()
        thread.join(10)
        made.close()


@pytest.mark.parametrize(("kind", "alerts"), [("sqlite", 200), ("memory", 503)])
def test_what_is_sent_to_a_daemon_is_soon_in_its_lists_and_its_stream(daemon, kind: str, alerts: int) -> None:
    made = daemon(kind)
    job = Event(
        id="1", source="curl", type=type_name("job.failed"), time=system_clock(), partitionkey="iris",
        project="iris", context=Context(runid="r1"), data=Job(job_id="j1", backend="ibm_hanoi"),
    )  # fmt: skip
    with httpx.Client(base_url=made.url, trust_env=False, timeout=10) as client:
        with client.stream("GET", "/api/v1/stream") as stream:
            headers = {"Content-Type": "application/cloudevents+json"}
            sent = httpx.post(f"{made.url}/api/v1/events", content=encode(job), headers=headers, trust_env=False)
            sent.raise_for_status()
            told = next(line for line in stream.iter_lines() if line.startswith("data: ") and '"j1"' in line)
        assert '"status":"failed"' in told
        assert client.get("/api/v1/jobs/j1").json()["status"] == "failed"
        assert client.get("/api/v1/runs/r1").json()["jobs"] == {"failed": 1}
        assert client.get("/api/v1/alerts").status_code == alerts
        assert client.get("/api/v1/openapi.json").json()["openapi"] == "3.1.0"


def test_views_of_a_log_in_memory_go_with_the_daemon(daemon, tmp_path: Path) -> None:
    made = daemon("memory")
    folder = made._parts.views.reader.path.parent
    assert folder.exists()
    made.stop.set()
    made.close()
    assert not folder.exists()
    assert not (tmp_path / "state" / "views.sqlite").exists()
