"""The daemon as a process: memory and CPU when idle, memory with many series, and retention beside ingest.

Exporters are off. Memory is the resident set of the whole process, as `ps` shows it.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from qml_daemon.status import Status, read_status
from quantum_mlops.clock import DAY, ManualClock
from quantum_mlops.transports.base import Commit, Stream
from quantum_mlops.transports.sqlite import SqliteLog

IDLE_SECONDS = 20.0
SERIES = 10_000
RUNS = 3_000
OLD_EVENTS = 1_000_000
CONFIG = """
[http]
listen = "127.0.0.1:0"
[state]
dir = "state"
[[rules.threshold]]
name = "HighLoss"
metric = "loss"
above = 1.0
"""


def _neighbour(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise SystemExit(f"no benchmark {name} beside this one")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Running:
    """A daemon on a folder, ended by its own pid."""

    def __init__(self, folder: Path) -> None:
        (folder / "c.toml").write_text(CONFIG)
        self.folder = folder
        environ = {name: text for name, text in os.environ.items() if not name.startswith("QML_")}
        command = [sys.executable, "-m", "quantum_mlops", "daemon", "--config", str(folder / "c.toml")]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ)
        if not any("READY" in line for line in iter(self.process.stderr.readline, "")):  # type: ignore[union-attr] # a pipe
            raise SystemExit("the daemon did not start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)

    def status(self) -> Status:
        """What it last wrote of itself."""
        found = read_status(self.folder / "state" / "status.json")
        if found is None:
            raise SystemExit("the daemon wrote no status")
        return found

    def memory_bytes(self) -> int:
        """Resident set."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS"))) * 1024

    def cpu_seconds(self) -> float:
        """Time on a core so far, of all threads, to the nanosecond: ticks of 10 ms are too coarse for an idle process."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def wait(self, condition: Callable[[Status], bool], seconds: float) -> None:
        """Wait until its status says so."""
        deadline = time.monotonic() + seconds
        while not condition(self.status()):
            if time.monotonic() > deadline:
                raise SystemExit("the daemon did not get there in time")
            time.sleep(0.2)


def idle() -> tuple[float, float]:
    """Return MiB and the share of a core of a daemon that has nothing to do, six seconds after its start."""
    with tempfile.TemporaryDirectory() as text, Running(Path(text)) as daemon:
        time.sleep(6)
        began, cpu = time.monotonic(), daemon.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        share = (daemon.cpu_seconds() - cpu) / (time.monotonic() - began)
        return daemon.memory_bytes() / 2**20, share


def busy() -> tuple[float, int]:
    """Return MiB and the number of series after mixed events of many runs came through the spool."""
    embedded = _neighbour("embedded")
    count = 8 * RUNS
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "state" / "spool").mkdir(parents=True)
        embedded.fill(folder / "state" / "spool", RUNS, count)
        with Running(folder) as daemon:
            daemon.wait(lambda status: sum(p.counts.events for p in status.runner.partitions) >= count, 120)
            time.sleep(6)  # the followers catch up
            series = sum(partition.series for partition in daemon.status().runner.partitions)
            return daemon.memory_bytes() / 2**20, series


def retention() -> tuple[float, float, int]:
    """Return the longest wait of an append and of a pass, in ms, while a million old events are removed."""
    make_events = _neighbour("log").make_events
    with tempfile.TemporaryDirectory() as text:
        clock = ManualClock(1_700_000_000_000_000_000)
        log = SqliteLog(Path(text) / "log.sqlite", clock=clock)
        events = make_events(50_000)
        for _ in range(OLD_EVENTS // len(events)):
            for at in range(0, len(events), 1000):
                log.append(events[at : at + 1000])
        _allow_removal(log)
        clock.advance_seconds(40 * DAY / 1e9)
        passes, appends = [], []
        removed, complete = 0, False
        while not complete:
            began = time.perf_counter()
            done = log.retain(older_than=clock() - 30 * DAY, max_bytes=2**40)
            passes.append(time.perf_counter() - began)
            removed += sum(done.removed.values())
            complete = done.complete
            began = time.perf_counter()
            log.append(events[:500])
            appends.append(time.perf_counter() - began)
        log.close()
        return max(appends) * 1e3, max(passes) * 1e3, removed


def _allow_removal(log: SqliteLog) -> None:
    log.commit(0, Commit(watermark=b"", replay_start=log.end(Stream.EVENTS, 0)))


def rows() -> list[dict[str, Any]]:
    """Measure all."""
    idle_mib, share = idle()
    busy_mib, series = busy()
    append_ms, pass_ms, removed = retention()
    if removed < OLD_EVENTS:
        raise SystemExit(f"only {removed} of the old events were removed")
    if series < SERIES:
        raise SystemExit(f"only {series} series")
    blocked = append_ms + pass_ms
    return [
        _row("daemon, idle: resident memory", idle_mib, "MiB", "<= 120", holds=idle_mib <= 120),
        _row("daemon, idle: CPU of a core", 100 * share, "%", "<= 1", holds=share <= 0.01),
        _row(f"daemon, {series:,} series: resident memory", busy_mib, "MiB", "<= 200", holds=busy_mib <= 200),
        _row(f"retention of {removed:,} old events: longest pass", pass_ms, "ms", None, holds=True),
        _row(
            "longest pass and append together, what ingest waits at most", blocked, "ms", "<= 200", holds=blocked <= 200
        ),
    ]


def _row(name: str, value: float, unit: str, bar: str | None, *, holds: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "bar": bar, "holds": holds}


if __name__ == "__main__":
    for row in rows():
        print(row)
