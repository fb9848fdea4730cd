"""The service holds to its own description: schemathesis asks what the OpenAPI document allows, and what it does not."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from qml_daemon.configuration import read_config
from qml_daemon.places import store_path
from qml_daemon.runtime import Daemon
from quantum_mlops.clock import system_clock
from quantum_mlops.codec import encode
from quantum_mlops.events import (
    CalibrationColumn,
    CalibrationSnapshot,
    Context,
    Event,
    Job,
    MetricLogged,
    RunStarted,
    type_name,
)
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for

RULE = '[[rules.threshold]]\nname = "HighLoss"\nmetric = "loss"\nabove = 0.1\n'
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method"
)


def make_event(number: int, short: str, data: object, **context: str) -> Event:
    return Event(
        id=f"{number:016x}", source="qml://host/0a/0", type=type_name(short), time=system_clock(),
        partitionkey="iris", project="iris", context=Context(**context), data=data,
    )  # fmt: skip


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A whole daemon with something in each list."""
    path = tmp_path / "c.toml"
    path.write_text('[state]\ndir = "state"\n[http]\nlisten = "127.0.0.1:0"\n' + RULE)
    config = read_config(path, {})
    config.state_dir.mkdir()
    log = SqliteLog(store_path(config))
    column = CalibrationColumn(name="t1", unit="s", wires=[[0]], values=[1e-4], times=[None])
    log.append(
        [
            make_event(1, "run.started", RunStarted(name="vqc"), runid="r1"),
            make_event(2, "job.completed", Job(job_id="j1", backend="ibm_hanoi"), runid="r1"),
            make_event(3, "metric.logged", MetricLogged(values={"loss": 0.5}), runid="r1"),
            make_event(
                4, "calibration.snapshot", CalibrationSnapshot(backend="b", calibration_id="c", columns=[column])
            ),
        ]
    )
    log.close()
    started = Daemon(config)
    started.start()
    thread = threading.Thread(target=started.run)
    thread.start()
    yield started
    started.stop.set()
    thread.join(10)
    started.close()


def test_the_service_holds_to_its_description(daemon: Daemon, tmp_path: Path) -> None:
    numbers = itertools.count(10)

    def lists(name: str) -> object:
        """Log until the rules act, a few seconds after the start, and then a little more."""
        body = encode(make_event(next(numbers), "metric.logged", MetricLogged(values={"loss": 0.5}), runid="r1"))
        headers = {"Content-Type": "application/cloudevents+json"}
        client.post("/api/v1/events", content=body, headers=headers).raise_for_status()
        return client.get(f"/api/v1/{name}").json()["items"]

    with httpx.Client(base_url=daemon.url, trust_env=False, timeout=10) as client:
        for name in ("runs", "jobs", "series", "backends", "findings", "alerts"):
            wait_for(partial(lists, name), f"something in {name}")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{daemon.url}/api/v1/openapi.json",
        "--max-examples", "12", "--seed", "1", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--exclude-path", "/api/v1/stream", "--request-timeout", "10", "--no-color", "--generation-database", "none",
        "--suppress-health-check", "all",
    ]  # fmt: skip
    environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environ, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
