"""The tables of the SQLite log, and how every connection to it is set up.

One connection writes and checkpoints. All others never do: in SQLite 3.7.0 to 3.51.2 two connections
that commit or checkpoint at once can corrupt a WAL database, and mmap is named in the same incidents.

Source: SQLite release notes 3.51.3 (WAL-reset bug); sqlite.org/wal.html.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from quantum_mlops.errors import LogError, LogVersionError
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.upgrade import refusal, upgrade

VERSION = 1
MIGRATIONS: dict[int, str] = {}
"""SQL from each older version to the next."""
APPLICATION_ID = 0x514D4C4F  # "QMLO"
_PAGE_BYTES = 8192
_CACHE_KIBIBYTES = 16_384
_BUSY_MILLISECONDS = 5000
_CHECKPOINT_PAGES = 512
WAL_LIMIT_BYTES = 64 * 1024 * 1024


def connect_writer(path: Path, synchronous: str) -> sqlite3.Connection:
    """Return the one connection that writes; makes the file (readable by its owner only) where there is none."""
    if not path.exists():
        path.touch(mode=0o600)
    connection = _connect(f"file:{quote(str(path))}?mode=rw")
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        _check(connection, path)
        upgrade(connection, path, VERSION, MIGRATIONS)
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that can neither write nor checkpoint."""
    connection = _connect(f"file:{quote(str(path))}?mode=ro")
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA busy_timeout = 1000")
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def table(stream: Stream, partition: int) -> str:
    """Return the table of one partition of a stream."""
    return f"{stream.value}_{partition:d}"


def create(connection: sqlite3.Connection, partitions: int) -> None:
    """Create all tables in one transaction; does nothing where they exist."""
    if count_partitions(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE cursors (name TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID")
    connection.execute(
        "CREATE TABLE partitions (partition INTEGER PRIMARY KEY, watermark BLOB,"
        " replay_start INTEGER NOT NULL DEFAULT 0)"
    )
    connection.execute(
        "CREATE TABLE tails (stream TEXT, partition INTEGER, end INTEGER NOT NULL, last INTEGER NOT NULL,"
        " PRIMARY KEY (stream, partition)) WITHOUT ROWID"
    )
    for partition in range(partitions):
        connection.execute("INSERT INTO partitions (partition) VALUES (?)", (partition,))
        connection.execute(
            f"CREATE TABLE states_{partition:d} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
        )
        for stream in Stream:
            connection.execute("INSERT INTO tails VALUES (?, ?, 0, 0)", (stream.value, partition))
            connection.execute(
                f"CREATE TABLE {table(stream, partition)} (offset INTEGER PRIMARY KEY, ingestedtime INTEGER NOT NULL,"
                " keep INTEGER NOT NULL, body NOT NULL)"
            )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def truncate_wal(connection: sqlite3.Connection) -> None:
    """Write the whole WAL into the file and cut it to nothing, if readers let go of it within 20 ms."""
    connection.execute("PRAGMA busy_timeout = 20")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")


def count_partitions(connection: sqlite3.Connection) -> int:
    """Return how many partitions the store has; 0 where it is empty."""
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        return 0
    return int(connection.execute("SELECT count(*) FROM partitions").fetchone()[0])


def log_error(error: sqlite3.Error, path: Path) -> LogError:
    """Return the LogError that says what went wrong with the store, and what mends it."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return LogError(f"{path}: the disk is full; free some space, the log then goes on")
    if name.startswith("SQLITE_READONLY"):
        return LogError(f"{path}: the store is read-only; give its owner write access")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return LogError(f"{path}: the file is damaged or no SQLite database ({error}); restore a backup")
    if name.startswith("SQLITE_CANTOPEN"):
        return LogError(f"{path}: cannot open the store; check that it exists and its permissions")
    return LogError(f"{path}: {error}{f' ({name})' if name else ''}")


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    # TEXT as it lies there: a body that is no UTF-8 is a reader's to judge, not the driver's to refuse.
    connection.text_factory = bytes
    connection.execute("PRAGMA mmap_size = 0")
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION_ID and version > VERSION:
        raise LogVersionError(refusal(path, version, VERSION))
    if tables and application != APPLICATION_ID:
        raise LogError(f"{path}: a SQLite database of another program; name another file")
