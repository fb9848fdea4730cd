"""One worker process from its configuration to its end. Crash-only: what cannot go on ends with one line."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping

from msgspec import Struct

from qml_daemon.http.health import Health
from qml_daemon.metrics.service import Board
from qml_daemon.readiness import Watchdog, notify_systemd
from qml_daemon.worker.figures import describe_worker
from qml_daemon.worker.service import build_service
from qml_processors.base import Processor
from qml_processors.runner import Runner, RunnerConfig, load_processors
from qml_processors.transfer import refuse_unfinished
from qml_processors.worker.delivery import Delivery
from qml_processors.worker.engines import make_delivery
from qml_processors.worker.kafka_store import KafkaStore
from qml_processors.worker.worker import Worker, WorkerConfig, WorkerReport
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, QuantumMlopsError, UserError
from quantum_mlops.stats import parse_rate, threshold
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.transaction import Fault
from quantum_mlops.version import __version__

DONE, USERS_MISTAKE, CRASHED = 0, 2, 70
"""Exit codes: an orderly end, a mistake in what was configured, and "start me again" (EX_SOFTWARE of sysexits.h)."""

_logger = logging.getLogger("quantum_mlops.worker")
STOP_SECONDS = 10.0
_LEAVING_SECONDS = 2.0
_SILENT_SECONDS = 15.0
_SWITCH_SECONDS = 0.001


class WorkerOptions(Struct, frozen=True, kw_only=True):
    """What a worker takes besides the configuration.

    `instance` is a static membership: a restart shorter than the session timeout keeps the partitions. `fault` is
    for tests: called at each step of a transaction (`FAULT_POINTS`). `processors` None: those that are installed.
    """

    listen: str = "127.0.0.1:0"
    instance: str | None = None
    pace: WorkerConfig = WorkerConfig()
    fault: Fault | None = None
    processors: list[Processor] | None = None  # type: ignore[type-arg] # of any state


class WorkerProcess:
    """`run` in the main thread, once; `stop` from a signal handler."""

    def __init__(self, config: Config, options: WorkerOptions, say: Callable[[str], None]) -> None:
        self._config = config
        self._options = options
        self._say = say
        self._stopping = threading.Event()
        self._health = Health(name="worker", trouble="events are not processed")
        self._board = Board()

    def stop(self) -> None:
        """End in order, within ten seconds; after them in disorder."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._health.state = "stopping"
            late = threading.Timer(STOP_SECONDS, _end_now, (self._say,))
            late.daemon = True
            late.start()

    def run(self, environ: Mapping[str, str]) -> int:
        """Work until `stop`; return the exit code. The last line said tells why, where it is not 0."""
        try:
            self._run(environ)
        except UserError as error:
            return self._refuse(error, USERS_MISTAKE)
        except QuantumMlopsError as error:
            return self._refuse(error, CRASHED)
        except Exception as error:  # a bug: told with its place, then as every other end
            _logger.exception("the worker failed")
            return self._refuse(error, CRASHED)
        return DONE

    def _refuse(self, error: Exception, code: int) -> int:
        text = str(error) if isinstance(error, QuantumMlopsError) else f"{type(error).__name__}: {error}"
        self._say(f"quantum-mlops worker: {' '.join(text.split())}")
        return code

    def _run(self, environ: Mapping[str, str]) -> None:
        if self._config.log.kind != "kafka" or self._config.kafka is None:
            raise ConfigError('log.kind: a worker needs [log] kind = "kafka", and [kafka]')
        threshold(parse_rate(self._config.rules.drift.false_alarms))  # loads numpy now, not in the first batch
        sys.setswitchinterval(_SWITCH_SECONDS)  # Kafka's thread is not to wait 5 ms at each turn while batches run
        service = build_service(self._config, self._options.listen, self._health, self._board)
        processors = self._options.processors or load_processors()
        settings = KafkaSettings.from_section(self._config.kafka)
        store: KafkaStore | None = None
        delivery: Delivery | None = None
        try:
            if service is not None:
                service.start()
            store = KafkaStore(settings, fault=self._options.fault)
            refuse_unfinished(store)
            delivery = make_delivery(settings, store, self._options.instance)
            worker = Worker(
                store,
                delivery,
                lambda log: Runner(log, processors, RunnerConfig(accept_loss=True)),
                self._options.pace,
                self._say,
            )
            watch = _Watch(self, worker, tuple(processor.name for processor in processors), environ)
            where = "off" if service is None else service.address.url
            worker.run(watch.look, lambda: watch.tell_ready(settings, where))
        finally:
            if delivery is not None:
                delivery.stop(_LEAVING_SECONDS)
            if store is not None:
                store.close()
            if service is not None:
                service.close()
        self._say("quantum-mlops worker stopped")


class _Watch:
    """What is done at each turn of the worker's loop beside the work."""

    def __init__(
        self, process: WorkerProcess, worker: Worker, processors: tuple[str, ...], environ: Mapping[str, str]
    ) -> None:
        self._process = process
        self._worker = worker
        self._processors = processors
        self._environ = environ
        self._beat = Watchdog(environ).beat
        self._published = 0.0

    def look(self) -> bool:
        """Show the figures and that the loop turns; return whether to stop."""
        process = self._process
        process._health.beat()  # noqa: SLF001 - two halves of one
        self._beat()
        if self._worker.report.at != self._published:
            self._published = self._worker.report.at
            process._health.fault = _find_fault(self._worker.report)  # noqa: SLF001
            process._board.publish(describe_worker(self._worker.report, self._processors))  # noqa: SLF001
        return process._stopping.is_set()  # noqa: SLF001

    def tell_ready(self, settings: KafkaSettings, where: str) -> None:
        """Say READY."""
        process = self._process
        process._health.state = "running"  # noqa: SLF001
        notify_systemd(self._environ, "READY=1")
        partitions = ",".join(str(one) for one in sorted(self._worker.handover.assigned)) or "none"
        process._say(  # noqa: SLF001
            f"quantum-mlops worker {__version__} READY pid={os.getpid()} kafka={settings.servers}"
            f" topics={settings.topic_prefix} group={settings.group} engine={settings.engine} partitions={partitions}"
            f" http={where}"
        )


def _find_fault(report: WorkerReport) -> str | None:
    if report.silence_seconds > _SILENT_SECONDS:
        return f"no broker answered for {report.silence_seconds:.0f} s"
    for one in report.partitions:
        if one.stats.given_up is not None and one.stats.partition not in report.opening:
            return f"partition {one.stats.partition} is given up: {one.stats.given_up}"
    return None


def _end_now(say: Callable[[str], None]) -> None:
    say(f"quantum-mlops worker: could not stop in order within {STOP_SECONDS:g} s; nothing that was committed is lost")
    sys.stderr.flush()
    os._exit(CRASHED)
