"""Silences: alerts that match one are not told while it lasts. What they are and when they end is stored.

A silenced alert stays what it is: it fires, shows in lists, and is told if it still fires when the silence has ended.
One that ends meanwhile is not told.

Source: Alertmanager documentation, "Silences".
"""

from msgspec import Struct

from qml_daemon.alert import Alert
from qml_daemon.delivery.store import OutboxStore
from quantum_mlops.clock import DAY
from quantum_mlops.config.matcher import Matcher, matches

KEPT_AFTER = 5 * DAY
"""How long an ended silence is still listed."""
MOST_SILENCES = 1000


class StoredSilence(Struct, kw_only=True, frozen=True):
    """One silence: all its matchers must hold. Times in ns UTC; it lasts from `starts` until before `ends`."""

    id: str
    matchers: list[Matcher]
    starts: int
    ends: int
    created_by: str = ""
    comment: str = ""
    created: int = 0

    def lasts(self, now: int) -> bool:
        """Return whether it is in force."""
        return self.starts <= now < self.ends

    def mutes(self, alert: Alert) -> bool:
        """Return whether it concerns this alert."""
        labels = alert.routing_labels
        return all(matches(matcher, labels) for matcher in self.matchers)


class Silences:
    """All silences, in memory and in the store. One thread: the main loop's."""

    def __init__(self, store: OutboxStore) -> None:
        self._store = store
        self._all: dict[str, StoredSilence] = {}

    def load(self) -> None:
        """Read them from the store."""
        self._all = {one.id: one for one in self._store.read_all("silences", StoredSilence)}

    def put(self, silence: StoredSilence, now: int) -> None:
        """Add a silence, or replace the one of its id; forget those that ended long ago.

        Raises:
            ValueError: there are too many.
            LogError: the store failed.

        """
        old = [one.id for one in self._all.values() if one.ends < now - KEPT_AFTER]
        if silence.id not in self._all and len(self._all) - len(old) >= MOST_SILENCES:
            raise ValueError(f"there are {MOST_SILENCES} silences already; let some expire")
        with self._store.transaction():
            for key in old:
                self._store.remove("silences", key)
            self._store.put("silences", silence.id, silence)
        for key in old:
            del self._all[key]
        self._all[silence.id] = silence

    def get(self, silence_id: str) -> StoredSilence | None:
        """Return one silence."""
        return self._all.get(silence_id)

    def list(self) -> list[StoredSilence]:
        """Return all, the one that ends last first. From any thread."""
        return sorted(self._all.copy().values(), key=lambda one: (-one.ends, one.id))

    def mutes(self, alert: Alert, now: int) -> bool:
        """Return whether a silence in force concerns the alert."""
        return any(one.lasts(now) and one.mutes(alert) for one in self._all.values())
