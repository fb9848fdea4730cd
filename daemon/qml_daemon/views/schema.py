"""The tables of views.sqlite: one shape for all, a body and the columns that lists are filtered by.

`seq` is given once and grows, `seen` is the log's time of the first record: lists are ordered by (seen, seq),
which never changes for a row, so pages stay where they are while rows come and change.
"""

import sqlite3
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

VERSION = 2
APPLICATION_ID = 0x514D4C56  # "QMLV"


class Table(Struct, frozen=True):
    """A table of the views: the columns to filter by, the most rows it holds, and the most kept in memory.

    >>> BACKENDS.name, JOBS.columns
    ('backends', ('run', 'backend', 'status'))
    """

    name: str
    columns: tuple[str, ...]
    most_rows: int
    most_cached: int


RUNS = Table("runs", ("status",), 100_000, 5000)
JOBS = Table("jobs", ("run", "backend", "status"), 1_000_000, 1000)
BACKENDS = Table("backends", (), 10_000, 1000)
SERIES = Table("series", ("run", "metric"), 50_000, 10_000)
FINDINGS = Table("findings", ("run", "backend", "status", "rule", "severity"), 100_000, 100)
TABLES = (RUNS, JOBS, BACKENDS, SERIES, FINDINGS)
UNINDEXED = {"metric", "severity"}


_OTHERS = (
    """CREATE TABLE positions (stream TEXT, partition INTEGER, offset INTEGER NOT NULL,
    PRIMARY KEY (stream, partition)) WITHOUT ROWID""",
    "CREATE TABLE origin (number INTEGER PRIMARY KEY, log BLOB, birth TEXT NOT NULL)",
    """CREATE TABLE sources (partitionkey TEXT, source TEXT, kind TEXT NOT NULL, last INTEGER NOT NULL,
    content BLOB NOT NULL, PRIMARY KEY (partitionkey, source)) WITHOUT ROWID""",
    """CREATE TABLE points (series INTEGER, number INTEGER, time INTEGER NOT NULL, step INTEGER,
    value REAL NOT NULL, PRIMARY KEY (series, number)) WITHOUT ROWID""",
)


def create(connection: sqlite3.Connection) -> None:
    """Make all tables, in one transaction."""
    statements = list(_OTHERS)
    for table in TABLES:
        columns = "".join(f" {column} TEXT," for column in table.columns)
        statements.append(
            f"CREATE TABLE {table.name} (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, project TEXT NOT NULL,"
            f" seen INTEGER NOT NULL, changed INTEGER NOT NULL,{columns} body BLOB NOT NULL, UNIQUE (id, project))"
        )
        statements.append(f"CREATE INDEX {table.name}_seen ON {table.name} (seen)")
        for column in ("project", *table.columns):
            if column not in UNINDEXED:
                where = f"({column}, seen)"
                statements.append(f"CREATE INDEX {table.name}_{column} ON {table.name} {where}")
    statements.append("CREATE INDEX jobs_project_backend ON jobs (project, backend, seen)")
    script = "; ".join(statements)
    pragmas = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    connection.executescript(f"BEGIN IMMEDIATE; {script}; {pragmas} COMMIT;")


def connect_writer(path: Path) -> sqlite3.Connection:
    """Return the one connection that writes; makes the file, readable by its owner only, where there is none."""
    if not path.exists():
        path.touch(mode=0o600)
    pragmas = ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 2000", "cache_size = -8192")
    return _connect(f"file:{quote(str(path))}?mode=rw", *pragmas, "journal_size_limit = 16777216")


def connect_reader(path: Path) -> sqlite3.Connection:
    """Return a connection that can neither write nor checkpoint."""
    return _connect(f"file:{quote(str(path))}?mode=ro", "wal_autocheckpoint = 0", "busy_timeout = 1000")


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the file holds views of this version."""
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return found == [APPLICATION_ID, VERSION]


def _connect(uri: str, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for pragma in ("mmap_size = 0", *pragmas):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:  # a damaged file says so at the first look
        connection.close()
        raise
    return connection
