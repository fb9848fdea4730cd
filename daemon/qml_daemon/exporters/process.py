"""The daemon's side of an exporter, or of the follower: a subprocess that is started, watched, started again, stopped.

MLflow takes 160 MiB and seconds to import, and blocks while a server hangs: none of that is the daemon's.
"""

import contextlib
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from qml_daemon.exporters.plugins import asked_for
from quantum_mlops.config.sections import Config

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STEADY_SECONDS = 60.0
STOP_SECONDS = 3.0
USERS_MISTAKE = 2

_logger = logging.getLogger(__name__)


class ProcessStats(Struct, frozen=True, kw_only=True):
    """One process. `given_up` says why it is not started again."""

    name: str
    pid: int | None
    starts: int
    failures: int
    last_exit: int | None
    given_up: str | None


class AttachedProcess:
    """One process that lives no longer than the daemon. `step` never blocks; used from one thread.

    Args:
        title: How it is called in the daemon's own log; its last word is its name.
        module: What Python runs, with its arguments.
        config: The daemon's configuration file.
        monotonic: Seconds of a monotonic clock.

    """

    def __init__(
        self,
        title: str,
        module: Sequence[str],
        config: Path | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title = title
        self._name = title.rpartition(" ")[2]
        self._command = [sys.executable, "-P", "-m", *module, "--attached"]
        if config is not None:
            self._command += ["--config", str(config)]
        self._monotonic = monotonic
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = self._failures = self._row = 0
        self._started_at = self._start_at = 0.0
        self._last_exit: int | None = None
        self._given_up: str | None = None
        self._stopping = False

    def step(self) -> None:
        """Start it where it should run and does not; notice where it ended."""
        if self._stopping or self._given_up is not None:
            return
        now = self._monotonic()
        if self._process is None:
            if now >= self._start_at:
                self._start(now)
            return
        code = self._process.poll()
        if code is not None:
            self._bury(code, now)

    def stats(self) -> ProcessStats:
        """Return how it fares."""
        return ProcessStats(
            name=self._name,
            pid=None if self._process is None else self._process.pid,
            starts=self._starts,
            failures=self._failures,
            last_exit=self._last_exit,
            given_up=self._given_up,
        )

    def begin_stop(self) -> None:
        """Ask it to stop, without waiting; it is not started again."""
        self._stopping = True
        if self._process is not None:
            self._process.terminate()

    def close(self, seconds: float = STOP_SECONDS) -> None:
        """Stop it: asked first, killed after `seconds`. Nothing is lost by that. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()

    def _start(self, now: float) -> None:
        self._starts += 1
        self._started_at = now
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            )
        except OSError as error:
            self._wait(now, f"cannot be started: {error.strerror}")

    def _bury(self, code: int, now: float) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        self._process = None
        known, self._last_exit = self._last_exit, code
        if code == USERS_MISTAKE:
            self._failures += 1
            self._given_up = "its configuration is wrong, as its own line above says; mend it and restart the daemon"
            _logger.error("%s: %s", self._title, self._given_up)
            return
        if now - self._started_at >= STEADY_SECONDS:
            self._row = 0
        self._wait(now, f"ended with {code}", said=known == code)

    def _wait(self, now: float, what: str, *, said: bool = False) -> None:
        self._failures += 1
        self._row += 1
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._row - 1, 10))
        self._start_at = now + pause
        if not said:
            _logger.error("%s %s; started again after %.0f s, then ever later", self._title, what, pause)


class ExporterProcess(AttachedProcess):
    """The process of one exporter."""

    def __init__(self, name: str, config: Path | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__(f"exporter {name}", ["qml_daemon.exporters", name], config, monotonic)


def build_processes(config: Config) -> list[ExporterProcess]:
    """Return the processes of the exporters that the configuration names; none is started yet."""
    return [ExporterProcess(name, config.path) for name in asked_for(config)]
