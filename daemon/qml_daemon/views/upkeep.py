"""The views of one daemon: the file, who keeps it, who reads it."""

import sqlite3
import tempfile
from pathlib import Path

from qml_daemon.follow import Seat
from qml_daemon.views.projector import OnChange, Projector
from qml_daemon.views.reader import ViewReader
from qml_daemon.views.store import FILE, Origin, open_views
from quantum_mlops.errors import LogError
from quantum_mlops.transports.schema import log_error


class Views:
    """Opened with the log, closed after the follower.

    Args:
        folder: where the file lies; None (a log in memory) for a folder that goes with the daemon.
        log: what the views are made from.
        retention_ns: how long rows stay that nothing changes.
        on_change: told of what is new, in the follower's thread.

    Raises:
        LogError: the file cannot be opened.

    """

    def __init__(self, folder: Path | None, log: Origin, retention_ns: int, on_change: OnChange) -> None:
        self._own = tempfile.TemporaryDirectory(prefix="qml-views-") if folder is None else None
        path = (Path(self._own.name) if self._own is not None else folder or Path()) / FILE
        self._store = open_views(path, log)
        try:
            self._projector = Projector(self._store, retention_ns, on_change)
            self.reader = ViewReader(path)
        except sqlite3.Error as error:
            self._store.close()
            raise log_error(error, path) from error
        except LogError:
            self._store.close()
            raise

    @property
    def seat(self) -> Seat:
        """The place among the follower's consumers: where the file ends."""
        return Seat(name="views", consumer=self._projector, start=self._store.positions())

    def close(self) -> None:
        """Release the file; idempotent."""
        self.reader.close()
        self._store.close()
        if self._own is not None:
            self._own.cleanup()
