"""How fast the MLflow exporter is against a real tracking server on SQLite: from the log to the last row.

Run alone: `python benchmarks/mlflow_export.py`. 20 runs of 1,000 steps with two metrics each wait in the log;
the clock starts with the first call that the server took, since importing MLflow is paid once.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from qml_daemon.exporters.status import read_exporter_status
from quantum_mlops.clock import SECOND
from quantum_mlops.events import Context, Event, MetricLogged, RunStarted, type_name
from quantum_mlops.transports.sqlite import SqliteLog

RUNS, STEPS, NAMES = 20, 1_000, ("loss", "accuracy")
BAR = 1_000
LONGEST_SECONDS = 40
START = 1_800_000_000 * SECOND


def fill(path: Path) -> int:
    log = SqliteLog(path)
    log.move_cursors({"log-id": b"x" * 16})
    total = 0
    for step in range(-1, STEPS):
        events = []
        for run in range(RUNS):
            data = RunStarted(name=f"r{run}") if step < 0 else MetricLogged(values=dict.fromkeys(NAMES, step / 7))
            total += 0 if step < 0 else len(NAMES)
            events.append(
                Event(
                    id=f"{run}-{step}",
                    source="bench",
                    type=type_name("run.started" if step < 0 else "metric.logged"),
                    time=START + (step + 1) * SECOND,
                    partitionkey="bench",
                    project="bench",
                    context=Context(runid=f"r{run}", step=max(step, 0)),
                    data=data,
                )
            )
        log.append(events)
    log.close()
    return total


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    environ = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, env=environ, start_new_session=True, **quiet)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return process
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the tracking server does not start")


def measure(folder: Path) -> dict[str, float]:
    total = fill(folder / "store.sqlite")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config = folder / "quantum-mlops.toml"
    config.write_text(f'[exporters.mlflow]\ntracking_uri = "http://127.0.0.1:{port}"\n[state]\ndir = "."\n')
    server = serve(folder, port)
    try:
        command = [sys.executable, "-m", "qml_daemon.exporters", "mlflow", "--config", str(config)]
        exporter = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            began = sent = 0.0
            deadline = time.monotonic() + LONGEST_SECONDS
            while sent < total and time.monotonic() < deadline:
                time.sleep(0.05)
                status = read_exporter_status(folder, "mlflow")
                if status is not None:
                    began = began or (time.monotonic() if status.figures.calls else 0.0)
                    sent = float(status.figures.sent["metrics"])
            ended = time.monotonic()
            memory = float(Path(f"/proc/{exporter.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        finally:
            exporter.send_signal(signal.SIGTERM)
            exporter.wait(20)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    return {"rate": sent / (ended - began), "sent": sent, "total": float(total), "memory": memory}


def rows() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        found = measure(Path(name))
    whole = found["sent"] >= found["total"]
    return [
        {
            "name": f"MLflow exporter, {RUNS} runs, real server on SQLite",
            "value": found["rate"],
            "unit": "metrics/s",
            "bar": f">= {BAR:,}",
            "holds": whole and found["rate"] >= BAR,
        },
        {
            "name": "MLflow exporter, its own memory",
            "value": found["memory"],
            "unit": "MiB",
            "bar": None,
            "holds": True,
        },
    ]


if __name__ == "__main__":
    for row in rows():
        print(row)
