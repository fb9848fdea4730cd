"""All groups, when each decides next, and which alerts are in which."""

import heapq
from collections.abc import Iterator, Mapping

from qml_daemon.alert import Alert
from qml_daemon.delivery.store import OutboxStore
from qml_daemon.dispatch.group import Flush, Group
from qml_daemon.dispatch.routes import Path, find_paths


class Groups:
    """The groups in memory; every change is also written to the store, inside the caller's transaction."""

    def __init__(self, store: OutboxStore, route: Path) -> None:
        self._store = store
        self._route = route
        self._groups: dict[str, Group] = {}
        self._paths: dict[str, Path] = {}
        self._heap: list[tuple[int, str]] = []
        self._of_alert: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def load(self, alerts: Mapping[str, Alert], now: int) -> None:
        """Read the groups, then hold them against the routes of today, which may have changed.

        An alert leaves the groups that its routes no longer make, and joins those that they do.
        """
        self._groups = {group.key: group for group in self._store.read_all("groups", Group)}
        self._paths, self._heap, self._of_alert = {}, [], {}
        for name, alert, told in self._store.read_members():
            if name in self._groups:
                self._groups[name].members[alert] = bool(told)
        self._prune(alerts)
        for group in self._groups.values():
            heapq.heappush(self._heap, (group.flush, group.key))
            for alert in group.members:
                self._of_alert.setdefault(alert, set()).add(group.key)
        for known in alerts.values():
            if known.status != "resolved":
                self.join(known, now)

    def _prune(self, alerts: Mapping[str, Alert]) -> None:
        """Drop memberships that today's routes do not make, and groups that are empty then."""
        wanted: dict[str, set[str]] = {}
        for alert in alerts.values():
            for path in find_paths(self._route, alert.routing_labels):
                key = path.group_key(alert.labels)
                self._paths[key] = path
                wanted.setdefault(key, set()).add(alert.key)
        for group in list(self._groups.values()):
            for member in group.members.keys() - wanted.get(group.key, set()):
                del group.members[member]
                self._store.remove_member(group.key, member)
            if not group.members:
                del self._groups[group.key]
                self._store.remove("groups", group.key)

    def join(self, alert: Alert, now: int) -> None:
        """Put a firing alert or a notice into the groups of its routes; starts group_wait of a new group."""
        for path in find_paths(self._route, alert.routing_labels):
            key = path.group_key(alert.labels)
            group = self._groups.get(key)
            if group is None:
                group = Group(key=key, labels=path.group_labels(alert.labels), flush=now + path.group_wait)
                self._groups[key] = group
                self._paths[key] = path
                self._write(group)
                heapq.heappush(self._heap, (group.flush, key))
            if alert.key not in group.members:
                group.members[alert.key] = False
                self._of_alert.setdefault(alert.key, set()).add(key)
                self._store.put_member(key, alert.key, told=False)

    def due(self, now: int) -> Iterator[tuple[Group, Path]]:
        """Yield the groups whose time has come, each once. A clock that was set back is followed."""
        while self._heap and self._heap[0][0] <= now:
            flush, key = heapq.heappop(self._heap)
            group = self._groups.get(key)
            if group is not None and group.flush == flush:
                yield group, self._paths[key]

    def next_due(self) -> int | None:
        """Return when the next group may decide (ns), or None where there is no group."""
        return self._heap[0][0] if self._heap else None

    def apply(self, group: Group, path: Path, flush: Flush, now: int) -> list[str]:
        """Store what a flush came to; return the alerts that are in no group any more."""
        left = [key for key in group.members if key not in flush.members]
        for key in left:
            self._store.remove_member(group.key, key)
            self._of_alert[key].discard(group.key)
        for key, told in flush.members.items():
            if group.members[key] != told:
                self._store.put_member(group.key, key, told=told)
        group.members = flush.members
        if flush.notification is not None:
            group.notified, group.number = now, group.number + 1
        if group.members:
            group.flush = now + max(path.group_interval, 1)
            heapq.heappush(self._heap, (group.flush, group.key))
            self._write(group)
        else:
            del self._groups[group.key], self._paths[group.key]
            self._store.remove("groups", group.key)
        alone = [key for key in left if not self._of_alert[key]]
        for key in alone:
            del self._of_alert[key]
        return alone

    def holds(self, alert: str) -> bool:
        """Whether an alert is in some group."""
        return bool(self._of_alert.get(alert))

    def _write(self, group: Group) -> None:
        self._store.put(
            "groups",
            group.key,
            Group(key=group.key, labels=group.labels, flush=group.flush, notified=group.notified, number=group.number),
        )
