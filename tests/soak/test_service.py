"""Half an hour of the whole service: 2,000 events a second, receivers and MLflow going up and down, the daemon killed.

Everything real: a trainer's process with the SDK, spool, daemon, exporter, an MLflow server, a webhook. In the first
third things fail; then the daemon lives on, so that its memory can be told. QML_SOAK_SECONDS shortens it.
"""

import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import msgspec
import pytest

from qml_daemon.exporters.status import read_exporter_status
from qml_daemon.status import read_status
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Event, FindingChanged
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

SECONDS = float(os.environ.get("QML_SOAK_SECONDS", "1800"))
PER_SECOND = 2000
WARM_UP_SHARE = 0.25
MOST_SLOPE_MIB = 1.0
QUIET = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
CONFIG = """
[receivers.team]
slack = {{ url_file = "url", timeout = "500ms" }}
[route]
receiver = "team"
group_by = ["run"]
group_wait = "0s"
group_interval = "1s"
[[rules.threshold]]
name = "Low"
metric = "accuracy"
below = 0.5
[exporters.mlflow]
tracking_uri = "{mlflow}"
[http]
listen = "127.0.0.1:0"
[state]
dir = "state"
"""
TRAINER = """
import sys, time
from quantum_mlops.events import Job, MetricLogged, RunEnded, RunStarted
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings

seconds, rate = float(sys.argv[2]), int(sys.argv[3])
recorder = Recorder(Settings(spool=sys.argv[1], project="soak"))
recorder.start()
began, count, number = time.monotonic(), 0, 0
sent = 0
while time.monotonic() - began < seconds:
    number += 1  # a run of some ten seconds, breached once
    run = f"run-{number:05d}"
    recorder.emit("run.started", RunStarted(name=run, host="soak"), context={"runid": run})
    sent += 1
    for step in range(10 * rate // 100):
        for part in range(99):
            job = Job(job_id=f"{run}-{step}-{part}", provider="ibm", backend="ibm_hanoi", shots_requested=1024)
            recorder.emit("job.completed", job, context={"runid": run, "step": step})
        value = 0.1 if 10 <= step < 170 else 0.9
        recorder.emit("metric.logged", MetricLogged(values={"accuracy": value}), context={"runid": run, "step": step})
        sent += 100
        ahead = began + sent / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    recorder.emit("run.ended", RunEnded(status="completed", duration_seconds=10.0), context={"runid": run})
    sent += 1
assert recorder.close(60.0)
print(sent, number, recorder.stats().dropped, flush=True)
"""


class Webhook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.texts = []
        self.is_down = False


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(503 if self.server.is_down else 200)
        if not self.server.is_down:
            self.server.texts.append(text)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Mlflow:
    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db", "--port", str(self.port)]
        with (self.folder / "mlflow.log").open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=os.environ | QUIET, stdout=output, stderr=output, start_new_session=True
            )

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def is_up(self):
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def history(self, runid):
        """Every row of the metric in the runs of that name."""
        answer = httpx.get(
            f"{self.url}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "soak"}, timeout=60
        )
        experiment = answer.json()["experiment"]["experiment_id"]
        query = {"experiment_ids": [experiment], "filter": f"tags.`qml.run` = '{runid}'"}
        runs = httpx.post(f"{self.url}/api/2.0/mlflow/runs/search", json=query, timeout=60).json().get("runs", [])
        rows = []
        for run in runs:
            query = {"run_id": run["info"]["run_id"], "metric_key": "accuracy"}
            found = httpx.get(f"{self.url}/api/2.0/mlflow/metrics/get-history", params=query, timeout=60).json()
            rows += [(one["step"], one["timestamp"], one["value"]) for one in found.get("metrics", [])]
        return len(runs), rows


class Daemon:
    def __init__(self, folder):
        self.folder = folder
        self.environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")} | QUIET
        self.process = None
        self.kills = 0

    def start(self):
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(self.folder / "c.toml")]
        with (self.folder / "daemon.log").open("ab") as output:
            self.process = subprocess.Popen(command, stderr=output, env=self.environ)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def memory_mib(self):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) / 1024


def slope_mib(samples):
    """Least squares: MiB in 10 minutes."""
    times, values = zip(*samples, strict=True)
    centre, mean = sum(times) / len(times), sum(values) / len(values)
    above = sum((time - centre) * (value - mean) for time, value in samples)
    return 600 * above / sum((time - centre) ** 2 for time in times)


def wait_for(condition, what, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def test_nothing_is_lost_and_nothing_twice_while_everything_fails_and_memory_stays_flat(tmp_path):
    chance = random.Random(5)
    mlflow, webhook = Mlflow(tmp_path), Webhook()
    threading.Thread(target=webhook.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    (tmp_path / "url").write_text(f"http://127.0.0.1:{webhook.server_address[1]}/secret")
    (tmp_path / "c.toml").write_text(CONFIG.format(mlflow=mlflow.url))
    state = tmp_path / "state"
    mlflow.start()
    daemon = Daemon(tmp_path)
    daemon.start()
    trainer = subprocess.Popen(
        [sys.executable, "-c", TRAINER, str(state / "spool"), str(SECONDS), str(PER_SECOND)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        began = time.monotonic()
        _let_fail(chance, began + SECONDS / 3, daemon, mlflow, webhook)
        webhook.is_down = False
        samples = []
        while trainer.poll() is None:
            samples.append((time.monotonic() - began, daemon.memory_mib()))
            time.sleep(2.0)
        sent, runs, dropped = map(int, trainer.communicate()[0].split())
        assert (trainer.returncode, dropped) == (0, 0)
        wait_for(lambda: not list((state / "spool").glob("*.qseg")), "the spool to be empty", 120)
        kept = samples[int(len(samples) * WARM_UP_SHARE) :]
        print(f"{sent} events, {runs} runs, {daemon.kills} kills, {len(webhook.texts)} messages")  # noqa: T201 - what a soak is run for
        print(f"memory {kept[-1][1]:.1f} MiB, slope {slope_mib(kept):+.2f} MiB in 10 minutes over {len(kept) * 2} s")  # noqa: T201
        lasted = _check_log(state, sent, runs)
        _check_told(state, lasted, webhook.texts, daemon.kills)
        wait_for(lambda: read_exporter_status(state, "mlflow").lag_records == 0, "MLflow to have everything", 600)
        for number in sorted(chance.sample(range(1, runs + 1), min(10, runs))):
            found, rows = mlflow.history(f"run-{number:05d}")
            assert found == 1
            assert len(rows) == len(set(rows)) == 10 * PER_SECOND // 100, number
        assert slope_mib(kept) <= MOST_SLOPE_MIB
        assert read_status(state / "status.json").log_errors == 0
    finally:
        for process in (trainer, daemon.process):
            if process.poll() is None:
                process.kill()
            process.wait()
        trainer.stdout.close()
        mlflow.stop()
        webhook.shutdown()
        webhook.server_close()


def _let_fail(chance, until, daemon, mlflow, webhook):
    while time.monotonic() < until:
        time.sleep(chance.uniform(5, 20))
        match chance.choice(["daemon", "daemon", "webhook", "mlflow"]):
            case "daemon":
                daemon.kill()
                time.sleep(chance.uniform(0, 3))
                daemon.start()
            case "webhook":
                webhook.is_down = not webhook.is_down
            case "mlflow":
                mlflow.stop() if mlflow.process is not None else mlflow.start()
    if mlflow.process is None:
        mlflow.start()
    wait_for(mlflow.is_up, "the MLflow server", 90)


def _check_log(state, sent, runs):
    """Every event is in the log exactly once, and each run's breach opened and closed once; return how long in ns."""
    reader = SqliteLog.open_reader(state / "store.sqlite")
    try:
        counts, sources, asked = Counter(), Counter(), 0
        for event in _events(reader, Stream.EVENTS):
            if event.project == "soak" and event.source.startswith("qml://"):
                sources[event.source] += 1
                counts[event.source, event.id] += 1
                asked += (event.context.runid or "").startswith("run-")
        twice = [key for key, count in counts.items() if count > 1]
        holes = [
            source for source, seen in sources.items() if (source, f"{seen - 1:016x}") not in counts
        ]  # fmt: skip
        assert (asked, twice, holes) == (sent, [], [])  # the SDK adds its own run with heartbeats
        wait_for(lambda: _count_changes(reader) == {"opened": runs, "closed": runs}, "every finding", 60)
        return _lasted(reader)
    finally:
        reader.close()


def _count_changes(reader):
    found = Counter()
    for event in _events(reader, Stream.FINDINGS):
        if isinstance(event.data, FindingChanged) and event.data.rule == "Low/below":
            found[event.type.split(".")[2]] += 1
    return dict(found)


def _events(reader, stream):
    offset = reader.start(stream, 0)
    while records := reader.read(stream, 0, offset, 2000):
        yield from (record.event for record in records if isinstance(record.event, Event))
        offset = records[-1].offset + 1


def _lasted(reader):
    changes = {}
    for event in _events(reader, Stream.FINDINGS):
        if isinstance(event.data, FindingChanged) and event.data.rule == "Low/below":
            changes.setdefault(event.data.labels["run"], []).append(event.time)
    return {run: max(times) - min(times) for run, times in changes.items()}


def _check_told(state, lasted, texts, kills):
    """Every alert that lasted was told: in a message of its own, or in one for all that waited while nobody took any.

    What was over when the daemon read it, after it had been down, is not told. Told as firing again is an alert at most
    once a kill, which may fall between sending and noting it.
    """
    outbox = sqlite3.connect(f"file:{state}/outbox.sqlite?mode=ro", uri=True)
    try:
        waiting = "SELECT count(*) FROM outbox WHERE status = 'waiting'"
        wait_for(lambda: outbox.execute(waiting).fetchone()[0] == 0, "every alert to be told", 180)
        assert outbox.execute("SELECT count(*) FROM outbox WHERE status = 'failed'").fetchone()[0] == 0
        sent = [str(msgspec.msgpack.decode(body)) for (body,) in outbox.execute("SELECT body FROM outbox")]
    finally:
        outbox.close()
    told = {run for body in sent for run in re.findall(r"run-\d{5}", body)}
    assert [run for run, length in lasted.items() if length > 3 * SECOND and run not in told] == []
    firing = Counter(
        run
        for text in texts
        if "[FIRING" in text and "Low/below" in text
        for run in set(re.findall(r"\(run (run-\d{5})", text))
    )
    assert sum(count - 1 for count in firing.values()) <= kills
