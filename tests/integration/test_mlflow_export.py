"""The MLflow exporter as a process against a real tracking server, read back through the server's own API."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qml_daemon.exporters.status import ExporterStatus, read_exporter_status
from quantum_mlops.clock import SECOND
from quantum_mlops.config.rules import Severity
from quantum_mlops.events import (
    Context,
    Event,
    FindingChanged,
    GradientStatistics,
    Job,
    MetricLogged,
    RunEnded,
    RunStarted,
    SummaryMade,
    type_name,
)
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.sqlite import SqliteLog

pytestmark = pytest.mark.timeout(180)

START = 1_800_000_000 * SECOND
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
# The pace of tests; the one of the daemon keeps that of users.
HURRY = """
from qml_daemon.exporters.mlflow import exporter
means = exporter.Means
exporter.Means = lambda **given: means(call_seconds=0.1, gather_seconds=0.2, **given)
"""


def wait_for(condition: Callable[[], Any], seconds: float = 45.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s")


class Tracking:
    """A real `mlflow server` on a SQLite store. It can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        store = f"sqlite:///{self.folder}/mlflow.db"
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1"]
        command += [
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--default-artifact-root",
            str(self.folder / "art"),
        ]
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | QUIET, stdout=output, stderr=output, start_new_session=True
            )
        wait_for(self.is_up, 90)

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            wait_for(lambda: not self.is_up())

    def ask(self, path: str, **fields: Any) -> dict[str, Any]:
        if path.endswith(("create", "search", "delete")):
            answer = httpx.post(f"{self.url}/api/2.0/mlflow/{path}", json=fields, timeout=30)
        else:
            answer = httpx.get(f"{self.url}/api/2.0/mlflow/{path}", params=fields, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def runs(self, project: str) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.url}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": project}, timeout=30
        )
        if answer.status_code == 404:
            return []
        experiment = answer.json()["experiment"]["experiment_id"]
        return self.ask("runs/search", experiment_ids=[experiment], run_view_type="ALL").get("runs", [])

    def run_of(self, project: str, runid: str) -> dict[str, Any]:
        found = [run for run in self.runs(project) if tags(run).get("qml.run") == runid]
        assert len(found) == 1, found
        return found[0]

    def history(self, run: dict[str, Any], metric: str) -> list[tuple[int, int, float]]:
        found = self.ask("metrics/get-history", run_id=run["info"]["run_id"], metric_key=metric).get("metrics", [])
        return sorted((int(one["timestamp"]), int(one.get("step", 0)), float(one["value"])) for one in found)


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"].get("tags", [])}


def params(run: dict[str, Any]) -> dict[str, str]:
    return {one["key"]: one["value"] for one in run["data"].get("params", [])}


def metrics(run: dict[str, Any]) -> dict[str, float]:
    return {one["key"]: float(one["value"]) for one in run["data"].get("metrics", [])}


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    server = Tracking(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


class Desk:
    """A log, a configuration, and exporters on them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "quantum-mlops.toml"
        self.config.write_text(
            f'[exporters.mlflow]\ntracking_uri = "{url}"\n[state]\ndir = "state"\n'
            f'[http]\nlisten = "off"\nexternal_url = "https://watch.example.org/"\n'
        )
        self.state.mkdir()
        self.log = SqliteLog(self.state / "store.sqlite")
        self.log.move_cursors({"log-id": b"x" * 16})
        self.number = 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.errors = folder / "exporter.log"

    def event(self, short: str, data: Any, project: str, runid: str | None = "run-1", **context: Any) -> Event:
        self.number += 1
        return Event(
            id=f"{self.number:016x}",
            source="qml://host/nonce/0",
            type=type_name(short),
            time=START + self.number * SECOND,
            partitionkey=project,
            project=project,
            context=Context(runid=runid, **context),
            data=data,
        )

    def train(self, project: str, steps: int = 5, runid: str = "run-1", **context: Any) -> list[Event]:
        started = RunStarted(name="vqc", tags={"team": "blue"}, code_version="c0ffee", sdk_versions={"qiskit": "2.1"})
        events = [self.event("run.started", started, project, runid, **context)]
        events.append(self.event("job.created", Job(job_id="j1", backend="ibm_hanoi"), project, runid, **context))
        for step in range(steps):
            data = MetricLogged(values={"loss": 1.0 / (step + 1), "qubit[3]": 0.5})
            events.append(self.event("metric.logged", data, project, runid, step=step, **context))
        self.log.append(events)
        return events

    def end(self, project: str, runid: str = "run-1", status: str = "completed", **context: Any) -> None:
        data = RunEnded(status=status, duration_seconds=1.0)  # type: ignore[arg-type]
        self.log.append([self.event("run.ended", data, project, runid, **context)])

    def start(self, patch: str = "") -> subprocess.Popen[bytes]:
        code = f"import os, sys\n{HURRY}\n{patch}\nfrom qml_daemon.exporters.__main__ import main\nsys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "mlflow", "--config", str(self.config), "--attached"]
        with self.errors.open("ab") as output:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environ())
        self.processes.append(process)
        return process

    def status(self) -> ExporterStatus | None:
        return read_exporter_status(self.state, "mlflow")

    def is_done(self) -> bool:
        status = self.status()
        ends = sum(self.log.end(stream, 0) for stream in ("events", "findings", "summaries"))  # type: ignore[arg-type]
        return status is not None and sum(status.cursor.values()) == ends and status.lag_records == 0

    def close(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(20)
            process.stdin.close()
        self.log.close()


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("QML_", "MLFLOW_"))} | QUIET


@pytest.fixture
def desk(tracking: Tracking, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, tracking.url)
    yield made
    made.close()


def finding(rule: str, change: str, number: int, labels: dict[str, str], severity: Severity = "critical") -> Event:
    data = FindingChanged(
        finding_id="ab" * 16,
        transition=number,
        rule=rule,
        series="s",
        severity=severity,
        labels=labels,
        annotations={"summary": "accuracy fell"},
    )
    return Event(
        id=f"{'ab' * 16}-{number}",
        source="qml://derived/threshold",
        type=type_name(f"finding.{change}"),
        time=START + 900 * SECOND,
        partitionkey=labels["project"],
        project=labels["project"],
        data=data,
    )


def test_a_run_without_mlflow_gets_a_run_of_its_own_with_all_there_is(tracking, desk):
    desk.train("iris")
    gradient = GradientStatistics(size=8, norm=0.25)
    strange = MetricLogged(
        nonfinite={"nan": "nan", "up": "inf"}, phase="validate", gradient=gradient, system={"cpu": 0.5}
    )
    desk.log.append([desk.event("metric.logged", strange, "iris", step=7)])
    summary = SummaryMade(
        series="iris/run/run-1",
        start=START,
        end=START + 60 * SECOND,
        labels={"run": "run-1", "status": "completed"},
        counts={"metric.logged": 6},
        values={"loss.min": 0.2},
    )
    window = SummaryMade(series="iris/project", start=START, end=START + 3600 * SECOND, counts={"metric.logged": 6})
    said = [
        Event(
            id=str(number),
            source="qml://derived/summaries",
            type=type_name(kind),
            time=START,
            partitionkey="iris",
            project="iris",
            data=data,
        )
        for number, (kind, data) in enumerate([("summary.run", summary), ("summary.window", window)])
    ]
    low = {"project": "iris", "run": "run-1"}
    far = {"project": "iris", "backend": "ibm_hanoi"}
    found = [finding("LowAccuracy", "opened", 0, low), finding("LowAccuracy", "closed", 1, low)]
    found.append(finding("CircuitDrift", "opened", 0, far))
    desk.log.commit(0, Commit(findings=found, summaries=said, watermark=b""))
    desk.end("iris")
    desk.start()
    wait_for(desk.is_done)

    run = tracking.run_of("iris", "run-1")
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", "vqc")
    assert run["info"]["start_time"] == (START + SECOND) // 10**6
    assert len(tracking.history(run, "loss")) == 5
    assert tracking.history(run, "loss")[0] == ((START + 3 * SECOND) // 10**6, 0, 1.0)
    known = metrics(run)
    assert known["qubit_3:e45b30"] == 0.5
    assert (known["validate/qml.gradient.norm"], known["system/cpu"]) == (0.25, 0.5)
    assert math.isnan(known["validate/nan"])
    assert known["validate/up"] > 1e308
    assert (known["qml.summary.loss.min"], known["qml.summary.count.metric.logged"]) == (0.2, 6.0)
    assert params(run)["qml.version.qiskit"] == "2.1"
    told = tags(run)
    assert (told["qml.project"], told["qml.backend"], told["qml.status"]) == ("iris", "ibm_hanoi", "completed")
    assert told["team"] == "blue"
    assert told["qml.finding.LowAccuracy"].startswith(
        "resolved, critical, 2027-01-15T08:15:00Z: accuracy fell (https://"
    )
    series = {tags(one).get("qml.series"): one for one in tracking.runs("iris")}
    assert tags(series["backend/ibm_hanoi"])["qml.finding.CircuitDrift"].startswith("firing")
    assert metrics(series["project"])["qml.summary.count.metric.logged"] == 6.0
    assert desk.status().figures.refused == 0


def test_the_users_run_is_found_by_its_id_and_its_status_is_left_alone(tracking, desk):
    experiment = tracking.ask("experiments/create", name="users-own")["experiment_id"]
    made = tracking.ask("runs/create", experiment_id=experiment, run_name="mine")["run"]["info"]["run_id"]
    desk.train("wine", mlflowrunid=made)
    desk.end("wine", status="failed", mlflowrunid=made)
    desk.log.commit(
        0, Commit(findings=[finding("Low", "opened", 0, {"project": "wine", "run": "run-1"})], watermark=b"")
    )
    desk.start()
    wait_for(desk.is_done)

    run = tracking.ask("runs/get", run_id=made)["run"]
    assert (run["info"]["status"], run["info"]["run_name"]) == ("RUNNING", "mine")
    assert len(tracking.history(run, "loss")) == 5
    assert (tags(run)["qml.status"], tags(run)["qml.run"]) == ("failed", "run-1")
    assert tags(run)["qml.finding.Low"].startswith("firing, critical")
    assert tracking.runs("wine") == []


def test_killed_after_sending_and_before_the_cursor_moved_nothing_is_twice(tracking, desk):
    desk.train("twice", steps=30)
    kill = "from qml_daemon.exporters.store import ExporterStore as S\nS.move = lambda *a: os.kill(os.getpid(), 9)"
    first = desk.start(kill)
    assert first.wait(60) == -signal.SIGKILL
    before = tracking.history(tracking.run_of("twice", "run-1"), "loss")
    assert len(before) == 30
    desk.start()
    wait_for(desk.is_done)
    run = tracking.run_of("twice", "run-1")
    assert tracking.history(run, "loss") == before
    assert desk.status().figures.sent["metrics"] == 60
    assert desk.status().figures.sent["conflicting_params"] == 0


def test_killed_right_after_making_a_run_it_finds_that_run_again(tracking, desk):
    desk.train("once")
    desk.end("once")
    kill = "from qml_daemon.exporters.store import ExporterStore as S\nS.keep = lambda *a: os.kill(os.getpid(), 9)"
    assert desk.start(kill).wait(60) == -signal.SIGKILL
    assert len(tracking.runs("once")) == 1
    desk.start()
    wait_for(desk.is_done)
    run = tracking.run_of("once", "run-1")
    assert run["info"]["status"] == "FINISHED"
    assert len(tracking.history(run, "loss")) == 5
    assert desk.status().figures.sent["runs"] == 0


def test_what_the_server_will_never_take_is_counted_and_the_rest_goes_on(tracking, desk):
    experiment = tracking.ask("experiments/create", name="deleted")["experiment_id"]
    gone = tracking.ask("runs/create", experiment_id=experiment)["run"]["info"]["run_id"]
    tracking.ask("runs/delete", run_id=gone)
    desk.train("refused", runid="gone", mlflowrunid=gone)
    desk.train("refused", runid="absent", mlflowrunid="0" * 32)
    desk.train("refused", runid="odd", mlflowrunid="../odd run")
    other = RunStarted(name="vqc", code_version="other")
    desk.train("refused", runid="good")
    desk.log.append([desk.event("run.started", other, "refused", "good")])
    desk.start()
    wait_for(desk.is_done)
    figures = desk.status().figures
    assert figures.refused > 10
    assert "is deleted" in figures.last_refusal
    assert figures.sent["conflicting_params"] == 1
    assert params(tracking.run_of("refused", "good"))["qml.code_version"] == "c0ffee"
    for runid in ("absent", "odd"):
        assert len(tracking.history(tracking.run_of("refused", runid), "loss")) == 5
    assert [note for note in figures.notes if "0000" in note and "does not have" in note]


def test_while_the_server_is_away_the_cursor_waits_and_then_everything_arrives(tracking, desk):
    tracking.stop()
    try:
        desk.train("away")
        desk.start()
        status = wait_for(lambda: (found := desk.status()) and found.figures.retries >= 2 and found)
        assert status.figures.sent["metrics"] == 0
        assert status.cursor["events/0"] == 0
        assert status.figures.last_error is not None
        desk.train("away", runid="run-2")
    finally:
        tracking.start()
    wait_for(desk.is_done, 90)
    for runid in ("run-1", "run-2"):
        assert len(tracking.history(tracking.run_of("away", runid), "loss")) == 5


def test_the_command_exports_a_stored_log_into_a_store_without_a_server(desk, tmp_path):
    desk.train("alone")
    desk.end("alone")
    desk.log.close()
    (tmp_path / "elsewhere").mkdir()
    environment = environ() | {"QML_EXPORTERS__MLFLOW__TRACKING_URI": f"sqlite:///{tmp_path}/tracking/mlflow.db"}
    command = [sys.executable, "-m", "quantum_mlops", "export", "mlflow", "--config", str(desk.config), "--json"]
    for more in ([], ["--since", "2020-01-01T00:00:00Z"]):
        done = subprocess.run(
            [*command, *more], env=environment, cwd=tmp_path / "elsewhere", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sent"]["metrics"] == 10
    code = (
        "import sys; from mlflow import MlflowClient\n"
        f"client = MlflowClient('sqlite:///{tmp_path}/tracking/mlflow.db')\n"
        "(run,) = client.search_runs([client.get_experiment_by_name('alone').experiment_id])\n"
        "print(run.info.status, len(client.get_metric_history(run.info.run_id, 'loss')))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["FINISHED", "5"], done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_two_exporters_of_one_log_exclude_each_other(desk):
    desk.train("lock")
    desk.start()
    wait_for(desk.status)
    second = desk.start()
    assert second.wait(30) == 1
    assert "another exporter works here" in desk.errors.read_text()


def test_the_daemon_starts_the_exporter_again_and_takes_it_along(tracking, desk, tmp_path):
    desk.log.close()
    command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(desk.config)]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ())
    try:
        recorder = Recorder(Settings(spool=str(desk.state / "spool"), project="whole"))
        with recorder.run("vqc") as run:
            recorder.log_metrics({"loss": 0.5}, step=1)
        recorder.close()
        first = wait_for(lambda: (found := desk.status()) and found.figures.sent["ends"] == 1 and found)
        assert tracking.history(tracking.run_of("whole", run.id), "loss")[0][1:] == (1, 0.5)
        os.kill(first.pid, signal.SIGKILL)
        second = wait_for(lambda: (found := desk.status()) and found.pid != first.pid and found)
        told = json.loads((desk.state / "status.json").read_text())["exporters"][0]
        assert (told["name"], told["given_up"]) == ("mlflow", None)
    finally:
        daemon.terminate()
        _, errors = daemon.communicate(timeout=30)
    assert daemon.returncode == 0, errors
    assert errors.count("exporter mlflow ended with -9") == 1
    assert not Path(f"/proc/{second.pid}").exists()
    assert desk.status().state == "stopped"


def test_training_code_inside_an_active_mlflow_run_has_its_metrics_in_that_run(tracking, desk):
    desk.log.close()
    code = (
        "import mlflow, quantum_mlops\n"
        f"mlflow.set_tracking_uri({tracking.url!r})\n"
        "mlflow.set_experiment('theirs')\n"
        "with mlflow.start_run() as run, quantum_mlops.run('vqc'):\n"
        "    quantum_mlops.log_metrics({'loss': 0.25}, step=3)\n"
        "print(run.info.run_id)\n"
    )
    spool = {"QML_SPOOL_DIR": str(desk.state / "spool"), "QML_PROJECT": "active"}
    done = subprocess.run([sys.executable, "-c", code], env=environ() | spool, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(desk.config)]
    daemon = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environ())
    try:
        wait_for(lambda: (found := desk.status()) and found.figures.sent["metrics"] == 1)
    finally:
        daemon.terminate()
        assert daemon.wait(30) == 0
    run = tracking.ask("runs/get", run_id=done.stdout.split()[-1])["run"]
    assert [(step, value) for _, step, value in tracking.history(run, "loss")] == [(3, 0.25)]
    assert run["info"]["status"] == "FINISHED"
    assert tracking.runs("active") == []
    assert desk.status().figures.notes == []


def test_a_killed_daemon_leaves_no_exporter_behind(desk):
    process = desk.start()
    wait_for(desk.status)
    process.stdin.close()
    assert process.wait(30) == 0
