import sqlite3

import pytest

from quantum_mlops.errors import LogVersionError
from quantum_mlops.transports import schema
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.sqlite import SqliteLog
from quantum_mlops.transports.upgrade import backup_path


@pytest.fixture
def newer_program(monkeypatch):
    def become():
        monkeypatch.setattr(schema, "VERSION", 2)
        monkeypatch.setattr(schema, "MIGRATIONS", {1: "CREATE TABLE notes (text TEXT)"})

    return become


def test_an_older_store_is_upgraded_and_keeps_a_copy_that_the_older_program_is_told_of(
    tmp_path, newer_program, monkeypatch
):
    path = tmp_path / "store.sqlite"
    SqliteLog(path).close()
    newer_program()
    SqliteLog(path).close()
    copy = backup_path(path, 1)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert _tables(path) - _tables(copy) == {"notes"}
    monkeypatch.undo()
    with pytest.raises(LogVersionError, match=r"store version 2, this one reads 1.*store\.sqlite\.v1\.backup"):
        SqliteLog(path)
    copy.replace(path)
    path.with_name("store.sqlite-wal").unlink(missing_ok=True)
    log = SqliteLog(path)
    assert log.end(Stream.EVENTS, 0) == 0
    log.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path, newer_program, monkeypatch):
    path = tmp_path / "store.sqlite"
    SqliteLog(path).close()
    before = _tables(path)
    newer_program()
    monkeypatch.setattr(schema, "MIGRATIONS", {1: "CREATE TABLE notes (text TEXT); CREATE TABLE tails (wrong TEXT)"})
    with pytest.raises(Exception, match="tails"):
        SqliteLog(path)
    monkeypatch.undo()
    assert _tables(path) == before
    SqliteLog(path).close()


def test_a_store_without_a_way_to_this_version_is_refused(tmp_path, newer_program, monkeypatch):
    path = tmp_path / "store.sqlite"
    SqliteLog(path).close()
    newer_program()
    monkeypatch.setattr(schema, "MIGRATIONS", {})
    with pytest.raises(LogVersionError, match="smaller steps"):
        SqliteLog(path)


def _tables(path):
    with sqlite3.connect(path) as connection:
        found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    return found
