import json
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.errors import LogError, LogLockedError, LogVersionError
from quantum_mlops.events import Event, Tick, type_name
from quantum_mlops.transports import schema
from quantum_mlops.transports.base import Commit, DeadLetter, Stream, Undecodable
from quantum_mlops.transports.sqlite import SqliteLog

START = 1000 * SECOND


def tick(number):
    return Event(id=f"{number:016x}", source="s", type=type_name("tick"), time=0, partitionkey="iris", data=Tick())


def ids(log):
    return [int(record.event.id, 16) for record in log.read(Stream.EVENTS, 0, 0, 1_000_000)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "store.sqlite"


@pytest.fixture
def log(path):
    log = SqliteLog(path, clock=ManualClock(START))
    yield log
    log.close()


def test_everything_is_there_after_closing_and_opening(path):
    log = SqliteLog(path, partitions=2, clock=ManualClock(START))
    log.append(
        [tick(1)], partition=1, cursors={"a": b"1"}, dead_letters=[DeadLetter(data=b"x", reason="r", origin="o")]
    )
    log.commit(1, Commit(findings=[tick(2)], watermark=b"w", rows={b"k": b"v"}))
    log.close()
    log = SqliteLog(path, partitions=2, clock=ManualClock(0))
    assert log.end(Stream.EVENTS, 1) == 1
    log.append([tick(3)], partition=1)
    records = log.read(Stream.EVENTS, 1, 0, 10)
    assert [(record.offset, record.ingestedtime) for record in records] == [(0, START), (1, START)]
    assert log.cursor("a") == b"1"
    assert log.checkpoint(1).rows == {b"k": b"v"}
    assert len(log.read(Stream.FINDINGS, 1, 0, 10)) == len(log.read(Stream.DEAD_LETTERS, 0, 0, 10)) == 1
    log.close()


def test_rows_are_cloudevents_json_that_the_sqlite_shell_shows(log, path):
    log.append([tick(7)])
    shell = sqlite3.connect(path)
    (body,) = shell.execute("SELECT body FROM events_0").fetchone()
    assert shell.execute("SELECT json_extract(body, '$.id') FROM events_0").fetchone() == (f"{7:016x}",)
    shell.close()
    assert json.loads(body)["ingestedtime"] == "1970-01-01T00:16:40.000000000Z"


def test_the_files_are_the_owners_alone(log, path):
    log.append([tick(1)])
    assert {entry.name: oct(entry.stat().st_mode & 0o077) for entry in path.parent.iterdir()} == dict.fromkeys(
        ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "store.sqlite.lock"), "0o0"
    )
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_second_writer_is_refused_by_the_pid_of_the_first(log, path):
    with pytest.raises(LogLockedError, match=rf"store.sqlite: another process \(pid {os.getpid()}\) writes this log"):
        SqliteLog(path)
    code = f"from quantum_mlops.transports.sqlite import SqliteLog; SqliteLog({str(path)!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "LogLockedError" in result.stderr
    log.append([tick(1)])
    assert ids(log) == [1]


def test_the_lock_goes_with_a_killed_process(path):
    code = (
        "import sys, time; from quantum_mlops.transports.sqlite import SqliteLog;"
        f"log = SqliteLog({str(path)!r}); print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    with pytest.raises(LogLockedError):
        SqliteLog(path)
    process.kill()
    process.communicate()
    SqliteLog(path).close()


def test_a_newer_store_is_refused_by_writer_and_reader(path):
    SqliteLog(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for opening in (SqliteLog, SqliteLog.open_reader):
        with pytest.raises(LogVersionError, match="store version 99, this one reads 1"):
            opening(path)


def test_another_programs_database_is_left_alone(path):
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LogError, match="of another program"):
        SqliteLog(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_clearly(path):
    path.parent.mkdir()
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(LogError, match="damaged or no SQLite database"):
        SqliteLog(path)


def test_another_number_of_partitions_is_refused(path):
    SqliteLog(path, partitions=2).close()
    with pytest.raises(LogError, match="has 2 partitions, not 3"):
        SqliteLog(path, partitions=3)


def test_a_folder_that_cannot_be_made_is_a_log_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot open the store"):
        SqliteLog(tmp_path / "file" / "store.sqlite")


def test_a_store_that_died_while_being_made_is_made_again(path):
    path.parent.mkdir()
    path.touch()
    log = SqliteLog(path)
    log.append([tick(1)])
    assert ids(log) == [1]
    log.close()


def test_a_closed_log_says_so(path):
    log = SqliteLog(path)
    log.close()
    for call in (lambda: log.append([tick(1)]), lambda: log.read(Stream.EVENTS, 0, 0, 1), lambda: log.cursor("a")):
        with pytest.raises(LogError, match="closed"):
            call()


def test_only_the_writer_checkpoints_and_nothing_is_mapped(log, path):
    writer = log._connection
    reader = schema.connect_reader(path)
    setting = {name: reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("wal_autocheckpoint", "mmap_size")}
    assert setting == {"wal_autocheckpoint": 0, "mmap_size": 0}
    assert writer.execute("PRAGMA mmap_size").fetchone() == (0,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == (b"wal",)
    log.append([tick(1)])
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM events_0")
    reader.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("power-loss", 2)])
def test_durability_is_the_writers_synchronous_setting(path, durability, synchronous):
    log = SqliteLog(path, durability=durability)
    assert log._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    log.close()


def test_the_wal_stays_bounded_under_a_reader_that_lets_go(log, path, monkeypatch):
    limit = 256 * 1024
    monkeypatch.setattr(schema, "WAL_LIMIT_BYTES", limit)
    monkeypatch.setattr("quantum_mlops.transports.sqlite._RESET_EVERY_SECONDS", 0.0)
    holder = schema.connect_reader(path)
    log.append([tick(0)])
    holder.execute("BEGIN")
    holder.execute("SELECT count(*) FROM events_0").fetchone()
    for start in range(0, 20_000, 1000):
        log.append([tick(start + number) for number in range(1000)])
    wal = path.with_name("store.sqlite-wal")
    assert wal.stat().st_size > limit
    holder.execute("ROLLBACK")
    log.append([tick(1)])
    log.append([tick(2)])
    assert wal.stat().st_size < limit
    assert log.checkpoint_failures == 0
    holder.close()


def test_bytes_of_a_foreign_writer_come_back_as_undecodable(log, path):
    log.append([tick(1)])
    foreign = log._connection
    rows = [(1, b"\xff\xfe"), (2, '{"id":'), (3, 7)]
    foreign.executemany("INSERT INTO events_0 VALUES (?, 5, 0, ?)", rows)
    first, *others = log.read(Stream.EVENTS, 0, 0, 10)
    assert first.event.id == f"{1:016x}"
    assert [record.event.data for record in others] == [b"\xff\xfe", b'{"id":', b"7"]
    assert all(isinstance(record.event, Undecodable) and record.event.reason for record in others)


class TestFullDisk:
    def test_a_full_store_keeps_what_was_acknowledged_and_goes_on_later(self, log):
        log.append([tick(0)], cursors={"a": b"0"})
        pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
        log._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
        with pytest.raises(LogError, match="the disk is full; free some space, the log then goes on"):
            log.append([tick(number) for number in range(1, 2000)], cursors={"a": b"1"})
        assert ids(log) == [0]
        assert log.cursor("a") == b"0"
        assert log.end(Stream.EVENTS, 0) == 1
        log._connection.execute("PRAGMA max_page_count = 1000000")
        log.append([tick(number) for number in range(1, 2000)], cursors={"a": b"1"})
        assert ids(log) == list(range(2000))

    def test_a_disk_that_refuses_writes_keeps_what_was_acknowledged(self, path):
        code = """
import resource
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event, Tick, type_name
from quantum_mlops.transports.sqlite import SqliteLog
def tick(n): return Event(id=f"{{n:016x}}", source="s", type=type_name("tick"), time=0, partitionkey="iris", data=Tick())
log = SqliteLog({path!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
acknowledged = 0
try:
    while True:
        log.append([tick(acknowledged + n) for n in range(100)])
        acknowledged += 100
except LogError as error:
    reason = str(error)
try:
    log.append([tick(acknowledged)])
    acknowledged += 1
except LogError:
    pass
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append([tick(acknowledged)])
print(acknowledged + 1, reason)
"""
        result = subprocess.run(
            [sys.executable, "-c", code.format(path=str(path))], capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        acknowledged, reason = result.stdout.split(maxsplit=1)
        assert str(path) in reason
        log = SqliteLog(path)
        assert int(acknowledged) > 100
        assert ids(log) == list(range(int(acknowledged)))
        log.close()


class Faulty:
    """A connection that fails at its n-th statement, before or after doing it."""

    def __init__(self, connection, at, *, after, lasting=False):
        self._inner, self._left, self._after, self._lasting = connection, at, after, lasting

    def _run(self, method, *arguments):
        self._left -= 1
        if (self._left == 0 and not self._after) or (self._left < 0 and self._lasting):
            raise sqlite3.OperationalError("disk I/O error")
        result = method(*arguments)
        if self._left == 0:
            raise sqlite3.OperationalError("disk I/O error")
        return result

    def execute(self, *arguments):
        return self._run(self._inner.execute, *arguments)

    def executemany(self, *arguments):
        return self._run(self._inner.executemany, *arguments)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def step_append(log, numbers):
    log.append([tick(number) for number in numbers], cursors={"a": b"%d" % numbers[-1], "b": None})


def step_commit(log, numbers):
    log.commit(
        0,
        Commit(
            findings=[tick(number) for number in numbers], watermark=b"%d" % numbers[-1], rows={b"k": b"v", b"x": None}
        ),
    )


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("step", "stream"), [(step_append, Stream.EVENTS), (step_commit, Stream.FINDINGS)])
def test_a_failure_at_any_statement_leaves_all_or_nothing_and_the_log_goes_on(tmp_path, step, stream, after):
    statements = 0
    for at in range(1, 20):
        log = SqliteLog(tmp_path / f"{at}.sqlite")
        step(log, [1, 2])
        healthy = log._connection
        log._connection = Faulty(healthy, at, after=after)
        try:
            step(log, [3, 4])
        except LogError:
            statements = at
        log._connection = healthy
        found = [int(record.event.id, 16) for record in log.read(stream, 0, 0, 10)]
        position = log.cursor("a") if step is step_append else log.checkpoint(0).watermark
        assert (found, position) in (([1, 2], b"2"), ([1, 2, 3, 4], b"4"))
        step(log, [5])
        records = log.read(stream, 0, 0, 10)
        assert [int(record.event.id, 16) for record in records] == [*found, 5]
        assert [record.offset for record in records] == list(range(len(records)))
        log.close()
    assert statements >= 6


def test_a_rollback_that_fails_as_well_is_made_up_for_later(log):
    healthy = log._connection
    log._connection = Faulty(healthy, 2, after=False, lasting=True)
    for _ in range(2):
        with pytest.raises(LogError, match="disk I/O error"):
            log.append([tick(1)])
    log._connection = healthy
    assert healthy.in_transaction
    log.append([tick(2)])
    assert ids(log) == [2]


class TestReader:
    def test_reads_beside_a_running_writer(self, log, path):
        log.append([tick(1)], cursors={"a": b"1"})
        reader = SqliteLog.open_reader(path)
        log.append([tick(2)])
        assert ids(reader) == [1, 2]
        assert (reader.start(Stream.EVENTS, 0), reader.end(Stream.EVENTS, 0), reader.partitions) == (0, 2, 1)
        assert reader.cursor("a") == b"1"
        assert reader.cursors("a") == {"a": b"1"}
        log.commit(0, Commit(watermark=b"w", rows={b"k": b"v"}))
        assert reader.checkpoint(0) == log.checkpoint(0)
        reader.close()

    def test_reads_when_the_daemon_is_down_and_leaves_the_file_as_it_is(self, path):
        log = SqliteLog(path)
        log.append([tick(1)])
        log.close()
        before = path.read_bytes()
        reader = SqliteLog.open_reader(path)
        assert ids(reader) == [1]
        reader.close()
        assert path.read_bytes() == before
        log = SqliteLog(path)
        log.append([tick(2)])
        assert ids(log) == [1, 2]
        log.close()

    def test_reads_what_a_killed_daemon_left_without_checkpointing_it(self, path):
        code = (
            "import os; from quantum_mlops.events import *; from quantum_mlops.transports.sqlite import SqliteLog;"
            f"log = SqliteLog({str(path)!r});"
            "log.append([Event(id='1', source='s', type=type_name('tick'), time=0, partitionkey='p', data=Tick())]);"
            "os.kill(os.getpid(), 9)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
        wal = path.with_name("store.sqlite-wal")
        size = wal.stat().st_size
        assert size
        reader = SqliteLog.open_reader(path)
        assert ids(reader) == [1]
        reader.close()
        assert wal.stat().st_size == size

    def test_without_a_store_it_says_so(self, path):
        with pytest.raises(LogError, match="cannot open the store; check that it exists"):
            SqliteLog.open_reader(path)

    def test_a_closed_reader_says_so(self, log, path):
        reader = SqliteLog.open_reader(path)
        reader.close()
        with pytest.raises(LogError, match="closed"):
            reader.end(Stream.EVENTS, 0)

    def test_finds_the_first_record_of_a_time_across_holes(self, path):
        clock = ManualClock(0)
        log = SqliteLog(path, clock=clock)
        for number in range(20):
            clock.now = 10 * (number // 2)
            log.append([tick(number)])
        log._connection.execute("DELETE FROM events_0 WHERE offset % 3 = 1")
        reader = SqliteLog.open_reader(path)
        records = reader.read(Stream.EVENTS, 0, 0, 100)
        for time in range(-5, 120):
            expected = next((record.offset for record in records if record.ingestedtime >= time), 20)
            found = reader.seek(Stream.EVENTS, 0, time)
            after = reader.read(Stream.EVENTS, 0, found, 1)
            assert (after[0].offset if after else 20) == expected
        reader.close()
        log.close()


class TestRetention:
    def fill(self, log, count):
        for start in range(0, count, 1000):
            log.append([tick(start + number) for number in range(1000)])
        log.commit(0, Commit(watermark=b"w", replay_start=count))

    def used_bytes(self, log):
        pages, free = (
            log._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count")
        )
        return (pages - free) * 8192

    def test_by_size_stops_as_soon_as_it_fits(self, log):
        self.fill(log, 5000)
        limit = self.used_bytes(log) // 2
        assert log.retain(older_than=0, max_bytes=limit).complete
        assert limit * 0.8 < self.used_bytes(log) <= limit
        assert ids(log) == list(range(log.start(Stream.EVENTS, 0), 5000))

    def test_the_file_uses_again_what_was_freed(self, log, path):
        size = 0
        for turn in range(4):
            for start in range(0, 5000, 1000):
                log.append([tick(start + number) for number in range(1000)])
            log.commit(0, Commit(watermark=b"w", replay_start=log.end(Stream.EVENTS, 0)))
            log.retain(older_than=0, max_bytes=0)
            log._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if turn == 0:
                size = path.stat().st_size
        assert path.stat().st_size <= size * 1.1

    def test_appending_goes_on_between_its_steps_and_readers_see_no_gap(self, log, monkeypatch):
        self.fill(log, 3000)
        reader = SqliteLog.open_reader(log.path)
        seen = []
        transaction = log._transaction

        def watched():
            records = reader.read(Stream.EVENTS, 0, 0, 10_000)
            seen.append([record.offset for record in records])
            return transaction()

        monkeypatch.setattr(log, "_transaction", watched)
        log.retain(older_than=2 * START, max_bytes=1 << 40)
        assert len(seen) > 5
        for offsets in seen:
            assert offsets == list(range(3000 - len(offsets), 3000))
        reader.close()
