"""From a configuration to an exporter at work."""

from collections.abc import MutableMapping
from pathlib import Path

from qml_daemon.configuration import read_config
from qml_daemon.exporters.credentials import forget_surroundings, read_credential_files
from qml_daemon.exporters.plugins import load_kind
from qml_daemon.exporters.status import store_path
from qml_daemon.exporters.store import ExporterStore
from qml_daemon.exporters.worker import Worker
from qml_daemon.history import LogReader
from qml_daemon.kafka.access import kafka_settings
from qml_daemon.places import store_path as log_path
from quantum_mlops.clock import system_clock
from quantum_mlops.config.load import is_file
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, UserError
from quantum_mlops.transports.sqlite import SqliteLog


def open_worker(name: str, config_path: Path | None, environ: MutableMapping[str, str]) -> Worker:
    """Return the exporter of that name, ready to run. Changes the environment and the working folder of this process.

    Raises:
        UserError: it is not configured, an extra is missing, or there is no log yet.
        LogLockedError: another process exports already.
        LogError: the log or its own store cannot be opened.

    """
    config = read_config(config_path, environ)
    kind = load_kind(name)
    address = kind.address(config)
    if address is None:
        raise ConfigError(f"exporters.{name}: not configured")
    if config.log.kind != "kafka" and (config.log.kind == "memory" or not is_file(log_path(config))):
        raise UserError(f"{log_path(config)}: no log there; start `quantum-mlops daemon` once")
    read_credential_files(environ)
    forget_surroundings(environ)
    reader = open_reader(config, f"exporter-{name}")
    try:
        store = ExporterStore(store_path(config.state_dir, name))
    except BaseException:
        reader.close()
        raise
    try:
        return Worker(name, address, kind.build(config, store), store, reader, config, system_clock)
    except BaseException:
        store.close()
        reader.close()
        raise


def open_reader(config: Config, program: str) -> LogReader:
    """Return a reader of the configured log for a process beside the daemon; `program` is its name for brokers.

    Raises:
        MissingExtraError: Kafka's client is not installed.
        LogError: the log cannot be opened.

    """
    if config.log.kind != "kafka":
        return SqliteLog.open_reader(log_path(config))
    settings = kafka_settings(config)
    from qml_daemon.kafka_reader import KafkaReader  # noqa: PLC0415 - an extra

    return KafkaReader(settings, program)
