"""The runtime in process: an ill log, retention, the start and the end."""

import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest

from qml_daemon.assembly import Surroundings
from qml_daemon.configuration import read_config
from qml_daemon.runtime import Daemon
from qml_daemon.status import read_status
from quantum_mlops.clock import DAY, ManualClock, system_clock
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, LogError, LogLockedError
from quantum_mlops.events import Event, MetricLogged, type_name
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from tests.waiting import wait_for


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "c.toml"
    path.write_text(
        '[http]\nlisten = "off"\n[state]\ndir = "state"\n[log]\nretention = "1d"\n[rules.summaries]\nenabled = false\n'
    )
    return read_config(path, {})


@pytest.fixture
def running(config: Config) -> Iterator[Callable[[Daemon], threading.Thread]]:
    started: list[tuple[Daemon, threading.Thread]] = []

    def run(daemon: Daemon) -> threading.Thread:
        thread = threading.Thread(target=daemon.run)
        thread.start()
        started.append((daemon, thread))
        return thread

    yield run
    for daemon, thread in started:
        daemon.stop.set()
        thread.join(10)


def test_an_error_of_the_log_is_logged_once_counted_and_tried_again(config, running, caplog, monkeypatch) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("qml_daemon.runtime.RETRY_SECONDS", 0.01)
    daemon = Daemon(config)
    daemon.start()
    poll, ill = daemon._parts.intake.poll, threading.Event()
    ill.set()

    def fail(limit: int) -> int:
        if ill.is_set():
            raise LogError("the disk is full")
        return poll(limit)

    monkeypatch.setattr(daemon._parts.intake, "poll", fail)
    running(daemon)
    wait_for(lambda: daemon._log_errors > 5, "errors of the log")
    ill.clear()
    wait_for(lambda: "the log goes on" in caplog.text, "the log to go on")
    assert caplog.text.count("the disk is full; trying again every second") == 1
    daemon.stop.set()
    running(daemon).join(10)
    daemon.close()
    status = read_status(config.state_dir / "status.json")
    assert status is not None
    assert (status.state, status.fault) == ("stopped", None)
    assert status.log_errors > 5


def test_a_fault_that_was_mended_is_no_longer_shown(config) -> None:
    daemon = Daemon(config)
    daemon.start()
    status = read_status(config.state_dir / "status.json")
    daemon.close()
    assert status is not None
    assert (status.state, status.fault, status.log_errors) == ("ready", None, 0)


def test_a_spool_that_cannot_be_read_is_logged_once_and_shown(config, caplog) -> None:
    config.state_dir.mkdir()
    config.spool_dir.write_text("no folder")
    daemon = Daemon(config)
    daemon.start()
    for _ in range(3):
        daemon._step()
        daemon._write_status("ready")
    daemon.close()
    status = read_status(config.state_dir / "status.json")
    assert status is not None
    assert status.intake.fault is not None
    assert caplog.text.count("the spool cannot be read whole") == 1


def test_a_plugin_that_cannot_be_loaded_is_named(config, monkeypatch) -> None:
    broken = EntryPoint("pigeon", "no_such_module:Pigeon", "quantum_mlops.notifiers")
    monkeypatch.setattr("qml_daemon.notifiers.plugins.entry_points", lambda group: [broken])
    with pytest.raises(ConfigError, match="^the notifier pigeon .no_such_module:Pigeon. cannot be loaded: No module"):
        Daemon(config)


def test_a_second_daemon_is_refused_and_leaves_the_first_alone(config) -> None:
    first = Daemon(config)
    with pytest.raises(LogLockedError, match="another process"):
        Daemon(config)
    first.start()
    first.close()
    second = Daemon(config)
    second.close()


def test_old_records_and_settled_notifications_are_removed(config) -> None:
    clock = ManualClock(system_clock())
    daemon = Daemon(config, Surroundings(clock=clock))
    daemon.start()
    event = Event(
        id="1", source="s", type=type_name("metric.logged"), time=clock(), partitionkey="iris", data=MetricLogged()
    )
    daemon._parts.log.append([event])
    daemon._step()
    kept = daemon._parts.log.end(Stream.EVENTS, 0)
    clock.now += 2 * DAY
    for _ in range(5):
        daemon._step()
    assert daemon._retention.removed >= 1
    ids = [record.event.id for record in daemon._parts.log.read(Stream.EVENTS, 0, 0, 1000)]
    assert "1" not in ids
    assert daemon._parts.log.end(Stream.EVENTS, 0) >= kept
    daemon.close()


def test_the_rules_are_written_once_and_again_when_they_change(config) -> None:
    def rules() -> int:
        reader = SqliteLog.open_reader(config.state_dir / "store.sqlite")
        records = reader.read(Stream.EVENTS, 0, 0, 1000)
        reader.close()
        return sum(record.event.type == type_name("config.applied") for record in records)

    for expected, found in ((1, config), (1, config), (2, msgspec.structs.replace(config, rules=type(config.rules)()))):
        daemon = Daemon(found)
        daemon.start()
        daemon._step()
        daemon.close()
        assert rules() == expected


def test_a_daemon_with_its_log_in_memory_writes_no_file(config, tmp_path: Path) -> None:
    memory = msgspec.structs.replace(config, log=msgspec.structs.replace(config.log, kind="memory"))
    daemon = Daemon(memory)
    daemon.start()
    daemon._step()
    assert "log=memory" in daemon.describe({})
    daemon.close()
    assert not config.state_dir.exists()


def test_ready_tells_what_training_code_needs_to_find_a_spool_of_the_file(config: Config) -> None:
    spool = config.state_dir / "spool"
    daemon = Daemon(config)
    phrase = f"training code needs QML_TARGET=spool:{spool}"
    assert daemon.describe({}).endswith(f"; {phrase}")
    for environ in ({"QML_TARGET": f"spool:{spool}"}, {"QML_STATE_DIR": str(config.state_dir)}):
        assert "training code" not in daemon.describe(environ)
    daemon.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("power-loss", 2)])
def test_the_outbox_is_as_durable_as_the_log(config: Config, durability: str, synchronous: int) -> None:
    log = msgspec.structs.replace(config.log, durability=durability)
    daemon = Daemon(msgspec.structs.replace(config, log=log))
    (row,) = daemon._parts.store._connection.execute("PRAGMA synchronous").fetchall()
    daemon.close()
    assert row == (synchronous,)
