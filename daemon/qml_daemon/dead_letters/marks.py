"""Which dead letters were put back in, so that none is by accident twice.

Beside the SQLite log a small file keeps it: the running daemon is that log's only writer. On Kafka the
log's own named positions do, which everybody on the fleet sees.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from quantum_mlops.errors import LogError
from quantum_mlops.transports.base import Log

FILE = "dead-letters.json"
PREFIX = "dead-letters/"


class Mark(Struct, frozen=True):
    """When a letter was put back in (nanoseconds UTC), and which one: after a restore another one may lie there."""

    digest: str
    time: int


class Marks(Protocol):
    """Where marks are kept, by the letter's place."""

    def read(self) -> dict[str, Mark]:
        """Return all marks."""
        ...

    def change(self, changes: Mapping[str, Mark | None]) -> None:
        """Store marks, durably; None forgets one."""
        ...


class FileMarks:
    """Marks in one file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Mark]:
        """See `Marks`. Raises LogError where the file is not readable."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Mark])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise LogError(f"{self._path}: cannot be read ({error}); it says what was put back in") from error

    def change(self, changes: Mapping[str, Mark | None]) -> None:
        """See `Marks`. Raises OSError where the disk refuses."""
        marks = {place: mark for place, mark in {**self.read(), **changes}.items() if mark is not None}
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(marks), indent=1))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


class CursorMarks:
    """Marks among the named positions of a log that has many writers."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def read(self) -> dict[str, Mark]:
        """See `Marks`. Raises LogError."""
        stored = self._log.cursors(PREFIX)
        return {name.removeprefix(PREFIX): msgspec.json.decode(mark, type=Mark) for name, mark in stored.items()}

    def change(self, changes: Mapping[str, Mark | None]) -> None:
        """See `Marks`. Raises LogError."""
        self._log.move_cursors(
            {f"{PREFIX}{place}": None if mark is None else msgspec.json.encode(mark) for place, mark in changes.items()}
        )
