"""The embedded daemon: one loop from the spool to the receivers.

    start: open, recover, apply the rules, READY     loop: inbox, intake, runner, dispatcher, tick, sleep
    stop: HTTP ends, drain (at most 5 s), flush, checkpoint, status

One thread writes the log; receivers and the HTTP service have their own. An error of the log is logged
once, counted and tried again.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping
from typing import Literal

from qml_daemon.announcement import announce
from qml_daemon.assembly import Parts, Surroundings, assemble
from qml_daemon.exporters.process import AttachedProcess, build_processes
from qml_daemon.following.process import build_process
from qml_daemon.http.server import STOP_SECONDS
from qml_daemon.places import STATUS
from qml_daemon.retention import Retention
from qml_daemon.status import Status, write_status
from qml_daemon.ticks import Ticker
from qml_daemon.turn import BATCH, Turn
from qml_daemon.web import build_service
from qml_processors.runner import apply_config
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import LogError
from quantum_mlops.version import __version__

BUSY_SECONDS, IDLE_SECONDS = 0.02, 0.1
DRAIN_SECONDS = 5.0
RETRY_SECONDS = 1.0
STATUS_SECONDS = 5.0
PUBLISH_SECONDS = 1.0

_logger = logging.getLogger("quantum_mlops.daemon")


class Daemon:
    """One daemon. `start`, then `run` until `stop` is set, then `close`; from one thread.

    Raises:
        ConfigError, LogError: from the constructor, as `assemble` says; nothing stays open then.

    """

    def __init__(self, config: Config, around: Surroundings | None = None) -> None:
        self.config = config
        self.stop = threading.Event()
        self._around = around or Surroundings()
        self._parts: Parts = assemble(config, self._around)
        try:
            self._service = build_service(config, self._parts)
        except BaseException:
            self._parts.close()
            raise
        ticker = Ticker(self._parts.log, self._around.clock, spread=self._parts.ground.spread)
        self._retention = Retention(self._parts, config.log, self._around.clock)
        self._turn = Turn(self._parts, ticker, self._retention)
        self._exporters = build_processes(config)
        self._follower = build_process(config)
        self._attached: list[AttachedProcess] = [*self._exporters]
        if self._follower is not None:
            self._attached.append(self._follower)
        self._started = self._around.clock()
        self._status_at = self._published_at = 0.0
        self._log_errors = 0
        self._fault: str | None = None
        self._intake_fault: str | None = None
        self._reloads = self._around.reloads
        self._reload_fault: str | None = None

    def start(self) -> None:
        """Recover the states, put the rules in force, free memory from the collector's sight.

        Raises:
            LogError: the log failed.

        """
        processing, log, rules = self._parts.processing, self._parts.log, self.config.rules
        if self._service is not None:
            self._service.start()
        processing.start(rules)
        source = f"qml://daemon/{os.urandom(6).hex()}/config"
        if apply_config(log, processing, rules, self._around.clock, source) is not None:
            _logger.info("new rules written to the log")
        self._parts.health.beat()
        self._parts.health.state = "running"
        self._parts.inbox.open()
        if self._parts.bridge is not None:
            self._parts.bridge.start()
        self._parts.follower.start()
        self._publish()
        self._write_status("ready")

    @property
    def url(self) -> str | None:
        """The address of the HTTP service, as bound; None where it is off."""
        return None if self._service is None else self._service.address.url

    def describe(self, environ: Mapping[str, str]) -> str:
        """Return what READY says: where everything is, and what training code needs to find it."""
        return announce(self.config, self._parts, self.url, environ)

    def run(self) -> None:
        """Work until `stop` is set.

        Raises:
            UserError: another daemon took this one's place.

        """
        while not self.stop.is_set():
            self._around.beat()
            self._parts.ground.lease.check()
            more = self._step()
            if more is None:
                self.stop.wait(RETRY_SECONDS)
                continue
            if self._fault is not None:
                _logger.info("the log goes on")
                self._fault = self._parts.health.fault = None
            if not more:
                self._parts.inbox.wait(BUSY_SECONDS if self._turn.is_busy() else IDLE_SECONDS)

    @property
    def reloads(self) -> int:
        """How often the configuration was read anew in this process, also in vain."""
        return self._reloads

    def keep_config(self, fault: str) -> None:
        """Go on with the configuration there is: the new one is wrong. `run` may be called again."""
        self._reloads += 1
        self._reload_fault = fault
        _logger.error("the configuration stays as it was: %s", fault)
        self.stop.clear()
        self._write_status("ready")

    def close(self) -> None:
        """Drain for at most 5 s, store everything, close. What a receiver did not take waits in the outbox."""
        deadline = time.monotonic() + DRAIN_SECONDS
        self._parts.health.state = "stopping"
        for process in self._attached:
            process.begin_stop()
        try:
            self._end_service()
            while self._step(tick=False) and time.monotonic() < deadline:
                pass
            if self._parts.ground.lease.is_held():
                self._parts.dispatcher.drain(deadline - time.monotonic())
            self._parts.processing.close()
            self._write_status("stopped")
        except LogError as error:
            self._report(error)
        finally:
            for process in self._attached:
                process.close()
            self._parts.inbox.close()
            if self._parts.bridge is not None:
                self._parts.bridge.close()
            if self._service is not None:
                self._service.close()
            self._parts.close()

    def _end_service(self) -> None:
        """Let requests and messages that are under way finish; they wait for the log, so it goes on meanwhile."""
        doors = [one for one in (self._service, self._parts.bridge) if one is not None]
        deadline = time.monotonic() + STOP_SECONDS
        for door in doors:
            door.begin_stop()
        while any(door.is_serving for door in doors) and time.monotonic() < deadline:
            self._parts.inbox.wait(BUSY_SECONDS)
            self._parts.inbox.drain(self._parts.log, BATCH)
        self._parts.inbox.close()

    def _step(self, *, tick: bool = True) -> bool | None:
        """Do one round; return whether there is more to do at once, None where the log or a file failed."""
        self._parts.health.beat()
        done = self._turn.step(tick=tick)
        fault = done.fault
        if fault is not None:
            self._report(fault)
        if tick:
            try:
                self._show()
            except LogError as error:
                fault = error
                self._report(error)
        return done.more if fault is None else None

    def _show(self) -> None:
        """Look after the processes beside this one, and show the figures where it is time."""
        for process in self._attached:
            process.step()
        now = time.monotonic()
        if now - self._published_at > PUBLISH_SECONDS:
            self._publish()
        if now - self._status_at > STATUS_SECONDS:
            self._write_status("ready")

    def _report(self, error: LogError) -> None:
        self._log_errors += 1
        if str(error) != self._fault:
            self._fault = self._parts.health.fault = str(error)
            _logger.error("%s; trying again every second", error)

    def _publish(self) -> None:
        """Show the figures of this moment to those who scrape."""
        self._published_at = time.monotonic()
        self._parts.meter.publish(self._describe("ready"), self._parts.follower.stats())

    def _write_status(self, state: Literal["ready", "stopped"]) -> None:
        self._status_at = time.monotonic()
        ill = self._parts.intake.stats().fault
        if ill is not None and ill != self._intake_fault:
            _logger.error("the spool cannot be read whole: %s", ill)
        self._intake_fault = ill
        if self.config.log.kind == "memory":
            return
        try:
            write_status(self.config.state_dir / STATUS, self._describe(state))
        except OSError as error:
            self._report(LogError(f"{self.config.state_dir / STATUS}: {error.strerror}"))

    def _describe(self, state: Literal["ready", "stopped"]) -> Status:
        return Status(
            version=__version__,
            pid=os.getpid(),
            http=self.url if state == "ready" else None,
            state=state,
            config=None if self.config.path is None else str(self.config.path),
            started=self._started,
            written=self._around.clock(),
            log_errors=self._log_errors,
            fault=self._fault,
            reloads=self._reloads,
            reload_fault=self._reload_fault,
            records_removed=self._retention.removed,
            unread_removed=self._retention.unread,
            ingest=None if self._service is None else self._parts.door.stats(),
            mqtt=None if self._parts.bridge is None else self._parts.bridge.stats(),
            intake=self._parts.intake.stats(),
            runner=self._parts.processing.stats(),
            dispatcher=self._parts.dispatcher.stats(),
            exporters=[exporter.stats() for exporter in self._exporters],
            follower=None if self._follower is None else self._follower.stats(),
        )
