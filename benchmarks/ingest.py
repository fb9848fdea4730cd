"""Events over HTTP on one core: a real daemon with every processor, real clients over loopback.

The daemon is bound to one core, the clients to the others. The events are those of the embedded path
(benchmarks/embedded.py), in batches of 100, each answered after the log's commit; what it found meanwhile
shows that the processors were at work. Beside it: the same door and log with no processor behind them.
"""

import http.client
import importlib.util
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qml_daemon.ingest.batch import BATCH_CONTENT_TYPE
from quantum_mlops.codec import encode
from quantum_mlops.events import Event, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

EVENTS = 60_000
WARM_UP = 5_000
BATCH = 100
CLIENTS = 4
RUNS = 500
BAR = 10_000
CONFIG = """
[http]
listen = "127.0.0.1:0"
[state]
dir = "."
[[rules.threshold]]
name = "HighLoss"
metric = "loss"
above = 1.0
[[rules.threshold]]
name = "LowAccuracy"
metric = "val_accuracy"
below = 0.8
"""
ALONE = """
import sys
from pathlib import Path
from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.ingest.door import Door
from qml_daemon.ingest.inbox import Inbox
from quantum_mlops.clock import system_clock
from quantum_mlops.transports.sqlite import SqliteLog

log, inbox = SqliteLog(Path(sys.argv[1]) / "store.sqlite"), Inbox()
server = HttpServer(build_app(Door(inbox, system_clock).routes()), Address("127.0.0.1", 0))
server.start()
inbox.open()
print(f"READY alone http={server.address.url} ", file=sys.stderr, flush=True)
while True:
    inbox.wait(0.1)
    inbox.drain(log, 500)
"""
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def embedded() -> Any:
    """Return the module beside this one that makes the events."""
    spec = importlib.util.spec_from_file_location("embedded", Path(__file__).with_name("embedded.py"))
    if spec is None or spec.loader is None:
        raise RuntimeError("benchmarks/embedded.py is gone")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_bodies(count: int) -> list[bytes]:
    """Return the JSON of all batches."""
    began = time.time_ns() - count * 100_000
    lines = [
        encode(
            Event(
                id=f"{number:016x}", source="qml://bench/0123456789ab/0", type=type_name(short),
                time=began + number * 100_000, partitionkey="iris", project="iris", context=context, data=data,
            )
        )
        for number, (_, short, context, data) in enumerate(embedded().mixed(RUNS, count))
    ]  # fmt: skip
    return [b"[" + b",".join(lines[at : at + BATCH]) + b"]" for at in range(0, count, BATCH)]


class Daemon:
    """A daemon on one core; `processors` False: only its door and its log."""

    def __init__(self, folder: Path, core: int, *, processors: bool) -> None:
        (folder / "c.toml").write_text(CONFIG)
        environ = {key: text for key, text in os.environ.items() if not key.startswith("QML_")}
        whole = ["-m", "quantum_mlops", "daemon", "--config", str(folder / "c.toml")]
        command = [sys.executable, *(whole if processors else ["-c", ALONE, str(folder)])]
        os.sched_setaffinity(0, {core})  # what it starts inherits this
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
        line = ""
        while (found := re.search(r"READY .* http=http://(\S+):(\d+) ", line)) is None:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError("the daemon did not start")
        self.host, self.port = found[1], int(found[2])
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def cpu_seconds(self) -> float:
        """Return what it used of the processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def settle(self) -> float:
        """Wait until it has nothing left to do; return its processor time by then."""
        before = self.cpu_seconds()
        while True:
            time.sleep(0.25)
            now = self.cpu_seconds()
            if now - before <= 0.03:
                return now
            before = now

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def post_all(daemon: Daemon, bodies: Iterator[bytes]) -> list[float]:
    """Send the bodies over several connections; return the seconds until each was answered."""
    waits: list[float] = []
    faults: list[str] = []
    lock = threading.Lock()

    def work() -> None:
        connection = http.client.HTTPConnection(daemon.host, daemon.port, timeout=30)
        while not faults:
            with lock:
                body = next(bodies, None)
            if body is None:
                break
            began = time.perf_counter()
            connection.request("POST", "/api/v1/events", body, {"Content-Type": BATCH_CONTENT_TYPE})
            answer = connection.getresponse()
            said = answer.read()
            waits.append(time.perf_counter() - began)
            if answer.status != 202 or said != b'{"accepted":%d,"rejected":[]}' % BATCH:
                faults.append(said.decode())
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise RuntimeError(faults[0])
    return sorted(waits)


def measure(*, processors: bool = True) -> dict[str, float]:
    """Send everything once and return the figures."""
    bodies = iter(make_bodies(WARM_UP + EVENTS))
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as text:
        daemon = Daemon(Path(text), cores[-1], processors=processors)
        os.sched_setaffinity(0, cores[:-1] or cores)
        try:
            post_all(daemon, itertools.islice(bodies, WARM_UP // BATCH))
            cpu = daemon.settle()
            began = time.perf_counter()
            waits = post_all(daemon, bodies)
            wall = time.perf_counter() - began
            cpu = daemon.settle() - cpu
        finally:
            daemon.stop()
            os.sched_setaffinity(0, cores)
        reader = SqliteLog.open_reader(Path(text) / "store.sqlite")
        findings = reader.end(Stream.FINDINGS, 0)
        stored = reader.end(Stream.EVENTS, 0)
        reader.close()
    if bool(findings) != processors or stored < WARM_UP + EVENTS:
        raise RuntimeError(f"{findings} findings and {stored} events: the daemon was not at work")
    return {"rate": EVENTS / wall, "cpu": cpu / EVENTS * 1e6, "p99": waits[int(len(waits) * 0.99)] * 1e3}


def rows() -> list[dict[str, Any]]:
    """Return the figures as rows of the table of `make bench`."""
    alone = measure(processors=False)
    best = max((measure() for _ in range(2)), key=lambda figures: figures["rate"])
    place = f"HTTP ingest, batches of {BATCH}, one core"
    return [
        {
            "name": place, "value": best["rate"], "unit": "events/s", "bar": f">= {BAR:,}", "holds": best["rate"] >= BAR,
        },
        {
            "name": f"{place}: CPU per event, processors included", "value": best["cpu"], "unit": "µs",
            "bar": None, "holds": True,
        },
        {
            "name": f"{place}: answer p99 of {CLIENTS} busy clients", "value": best["p99"], "unit": "ms", "bar": None,
            "holds": True,
        },
        {
            "name": f"{place}, no processors", "value": alone["rate"], "unit": "events/s", "bar": None, "holds": True,
        },
        {
            "name": f"{place}, no processors: CPU per event", "value": alone["cpu"], "unit": "µs", "bar": None,
            "holds": True,
        },
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
