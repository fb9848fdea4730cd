"""Stores and spools of every released version are read for ever: nothing of theirs is lost, and they go on."""

import shutil
from pathlib import Path

import pytest

from qml_daemon.delivery.store import OutboxStore
from qml_daemon.intake.adoption import this_host
from qml_daemon.intake.intake import Intake
from qml_daemon.operations.backup import back_up
from qml_processors.runner import Runner, load_processors
from quantum_mlops.clock import MINUTE, system_clock
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog

RELEASES = Path(__file__).parent / "releases"
SPOKEN = {"run.started", "job.created", "job.completed", "canary.measured", "metric.logged"}


@pytest.fixture(params=sorted(path.name for path in RELEASES.iterdir()))
def release(request, tmp_path):
    """A copy: opening a store may upgrade it."""
    return Path(shutil.copytree(RELEASES / request.param, tmp_path / "state"))


def shorts(log, stream):
    records = log.read(stream, 0, log.start(stream, 0), 1000)
    assert all(isinstance(record.event, Event) for record in records)
    return [record.event.type.removeprefix("quantum_mlops.").removesuffix(".v1") for record in records]


def test_its_log_is_read_and_its_states_go_on(release):
    log = SqliteLog(release / "store.sqlite")
    before = shorts(log, Stream.EVENTS)
    assert set(before) >= SPOKEN
    assert "finding.opened" in shorts(log, Stream.FINDINGS)
    runner = Runner(log, load_processors())
    assert runner.open(0)
    (stats,) = runner.stats().partitions
    assert stats.mismatches == 0
    assert {rule for (_, _, _, rule) in runner.open_findings()} >= {"LowAccuracy/below"}
    runner.close()
    log.close()


def test_its_spool_is_read_onto_its_log(release):
    log = SqliteLog(release / "store.sqlite")
    before = log.end(Stream.EVENTS, 0)
    later = lambda: system_clock() + 60 * MINUTE  # noqa: E731 - its writer is surely gone
    intake = Intake(log, release / "spool", later, this_host())
    while intake.poll(500) or list((release / "spool").glob("*.qseg")):
        pass
    runs = [
        record.event.context.runid for record in log.read(Stream.EVENTS, 0, before, 1000) if record.event.context.runid
    ]
    assert runs.count("run-2") == 7
    assert log.end(Stream.DEAD_LETTERS, 0) == 0
    intake.close()
    log.close()


def test_its_outbox_is_read(release):
    store = OutboxStore(release / "outbox.sqlite")
    assert store.read_positions()
    assert store.read_origin() is not None
    store.close()


def test_it_can_be_backed_up(release, tmp_path):
    folder, manifest = back_up(release, tmp_path / "backups", system_clock)
    assert set(manifest.files) == {"store.sqlite", "outbox.sqlite"}
    assert manifest.events > 0
    assert (folder / "manifest.json").is_file()
