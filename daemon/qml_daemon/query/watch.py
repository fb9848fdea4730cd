"""Alerts that changed: the dispatcher's file is looked at while somebody listens, once a second at most."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from qml_daemon.alert import Alert
from qml_daemon.query.feed import REMEMBER_SECONDS, Feed

LOOK_SECONDS = 1.0


class AlertWatch:
    """Publishes what changed since the last look. Any thread may look; one does at a time.

    Args:
        feed: told of alerts that are new or changed.
        read: returns what the dispatcher holds.
        files: looked at first; while they are the same nothing is read. None: always read.

    """

    def __init__(self, feed: Feed, read: Callable[[], list[Alert]], files: tuple[Path, ...] = ()) -> None:
        self._feed = feed
        self._read = read
        self._files = files
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, int]] = {}
        self._stamp: object = None
        self._looked = -2 * REMEMBER_SECONDS

    def look(self) -> None:
        """Read the alerts if it is time; what was there when nobody had looked for long is not new.

        Raises:
            LogError: the file cannot be read.

        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            now = time.monotonic()
            if now - self._looked < LOOK_SECONDS:
                return
            begins = now - self._looked > REMEMBER_SECONDS
            stamp = [_stamp(path) for path in self._files]
            if begins or not stamp or stamp != self._stamp:
                self._compare(begins=begins)
                self._stamp = stamp
            self._looked = now
        finally:
            self._lock.release()

    def _compare(self, *, begins: bool) -> None:
        alerts = self._read()
        found = {alert.key: (str(alert.status), alert.updated) for alert in alerts}
        if not begins:
            news = [alert for alert in alerts if self._known.get(alert.key) != found[alert.key]]
            if news:
                self._feed.publish("alert", news)
        self._known = found


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None  # no outbox yet
    return (found.st_mtime_ns, found.st_size)
