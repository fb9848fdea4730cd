"""The demo's processes: receiver, daemon, training, each a subprocess with its own log file."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import rmtree

from qml_daemon.demo.receiver import ADDRESS, MESSAGES
from qml_daemon.places import STATUS, STORE
from qml_daemon.status import read_status
from quantum_mlops.errors import LogLockedError, QuantumMlopsError, UserError
from quantum_mlops.transports.lockfile import LockFile

CONFIG = "quantum-mlops.toml"
PIDS = "pids"
_MARK = "# Written by `quantum-mlops demo`."
_CONFIG_TEXT = f"""{_MARK} group_wait is 0 s and group_interval 1 s only so that nobody
# has to wait for the show; without these two lines they are Alertmanager's 30 s and 5 m.

[state]
dir = "state"

[spool]
dir = "spool"

[http]
listen = "127.0.0.1:0"

[receivers.demo]
slack = {{ url_file = "{ADDRESS}" }}
log = {{}}

[route]
receiver = "demo"
group_by = ["rule", "backend"]
group_wait = "0s"
group_interval = "1s"
"""
_KAFKA_TEXT = """[log]
kind = "kafka"

[kafka]
bootstrap_servers = [{servers}]
topic_prefix = "{name}."
group = "{name}"
session_timeout = "6s"  # for the show, as the two lines below: the default is 10 s

"""
WORKERS = ("worker-1", "worker-2")


class DemoError(QuantumMlopsError):
    """One of the demo's processes failed."""


class House:
    """The folder and the processes in it. `kafka` names brokers (`host:port,…`) where the log is there."""

    def __init__(self, folder: Path, kafka: str | None = None) -> None:
        self.kafka = kafka
        self.folder = folder.absolute()
        self.config = self.folder / CONFIG
        self.state = self.folder / "state"
        self.store = self.state / STORE
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def prepare(self) -> None:
        """Make the folder empty of an earlier demo.

        Raises:
            UserError: it holds something else, or a daemon still runs in it.

        """
        if self.folder.is_dir() and any(self.folder.iterdir()):
            if not self.config.is_file() or not self.config.read_text(encoding="utf-8").startswith(_MARK):
                raise UserError(f"{self.folder}: not empty, and not of an earlier demo; choose another --dir")
            lock = self.store.with_name(STORE + ".lock")
            if lock.exists():
                self._take(lock)
            for place in (self.state, self.folder / "spool"):
                rmtree(place, ignore_errors=True)
            for path in (self.folder / ADDRESS, self.folder / MESSAGES, *self.folder.glob("*.log")):
                path.unlink(missing_ok=True)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.config.write_text(_write_config(self.kafka), encoding="utf-8")
            (self.folder / PIDS).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be made: {error.strerror}; choose another --dir") from error

    def keep(self) -> list[int]:
        """Remember which processes stay, for the next demo in this folder; return their pids."""
        pids = self.pids()
        (self.folder / PIDS).write_text(" ".join(map(str, pids)), encoding="utf-8")
        return pids

    def _take(self, lock: Path) -> None:
        """See that no daemon of an earlier demo still writes here."""
        try:
            LockFile(lock).close()
        except LogLockedError as error:
            kept = self.folder / PIDS
            mend = f"kill {kept.read_text(encoding='utf-8')}" if kept.is_file() else str(error)
            raise UserError(
                f"{self.folder}: the daemon of an earlier demo is still up: {mend}; or choose another --dir"
            ) from error

    def start_receiver(self) -> None:
        """Start the receiver and wait until it has an address."""
        self._start("receiver", ["qml_daemon.demo.receiver", str(self.folder)], {})
        self._await("receiver", (self.folder / ADDRESS).is_file)

    def start_daemon(self) -> None:
        """Start the daemon with the demo's configuration and wait until it is ready."""
        self._start("daemon", ["quantum_mlops", "daemon", "--config", str(self.config)], {})
        self._await("daemon", lambda: read_status(self.state / STATUS) is not None)

    def start_workers(self) -> None:
        """Make the topics, start two workers, and wait until both are ready."""
        self._start("kafka-init", ["quantum_mlops", "kafka", "init", "--config", str(self.config)], {})
        if self._running["kafka-init"].wait(60):
            self.check("kafka-init")
        for name in WORKERS:
            self._start(name, ["quantum_mlops", "worker", "--config", str(self.config), "--instance", name], {})
        for name in WORKERS:
            self._await(name, partial(self._said_ready, name))

    def kill(self, name: str) -> int:
        """End a process as a power cut does (SIGKILL); return its pid."""
        process = self._running.pop(name)
        process.kill()
        process.wait()
        return process.pid

    def check_all(self) -> None:
        """Raise DemoError if the daemon or a worker that was not killed has ended."""
        for name in ("daemon", *WORKERS):
            if name in self._running:
                self.check(name)

    def start_training(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start the user's script. All it knows of the daemon is the folder of the spool."""
        target = {"QML_TARGET": f"spool:{self.folder / 'spool'}"}
        return self._start("training", ["qml_daemon.demo.train", *arguments], target)

    def read_log(self, name: str) -> list[str]:
        """Return the lines that a process wrote."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()

    def pids(self) -> list[int]:
        """Return the pids of what still runs."""
        return [process.pid for process in self._running.values() if process.poll() is None]

    def check(self, name: str) -> None:
        """Raise DemoError if that process ended."""
        code = self._running[name].poll()
        if code is not None:
            last = next(iter(self.read_log(name)[::-1]), "nothing")
            raise DemoError(f"the {name} ended with exit code {code}; its last line: {last}")

    def stop(self) -> int | None:
        """Stop everything, the training first; return the daemon's exit code, None where it did not run."""
        code = None
        for name in ("training", "daemon", *WORKERS, "receiver"):
            process = self._running.get(name)
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            code = process.returncode if name == "daemon" else code
        return code

    def _said_ready(self, name: str) -> bool:
        return any(" READY " in line for line in self.read_log(name))

    def _start(self, name: str, module: list[str], extra: dict[str, str]) -> subprocess.Popen[bytes]:
        environ = {key: text for key, text in os.environ.items() if not key.startswith("QML_")}
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**environ, **extra},
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not ready():
            self.check(name)
            if time.monotonic() > deadline:
                raise DemoError(f"the {name} was not ready within 30 s; see {self.folder / name}.log")
            time.sleep(0.05)


def _write_config(kafka: str | None) -> str:
    """Return the configuration; on Kafka with topics and a group that no other demo has."""
    if kafka is None:
        return _CONFIG_TEXT
    servers = ", ".join(f'"{server}"' for server in kafka.split(","))
    text = _KAFKA_TEXT.format(servers=servers, name=f"demo-{secrets.token_hex(3)}")
    return _CONFIG_TEXT.replace("[state]", f"{text}[state]", 1)
