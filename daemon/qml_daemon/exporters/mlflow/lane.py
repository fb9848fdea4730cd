"""What waits for one MLflow run, and how far the run itself is known."""

from collections import deque

from qml_daemon.exporters.base import Ticket
from qml_daemon.exporters.mlflow.entries import Batch, End, Entry, Metric, Param, Remote, Tag, Target
from qml_daemon.exporters.mlflow.mapping import BACKEND_TAG

MAX_METRICS = 1000
MAX_ENTRIES = 1000
MAX_PARAMS = 100
MAX_TAGS = 100
MAX_BYTES = 900_000
_METRIC_BYTES = 140


class Lane:
    """The queue of one run. Times are monotonic seconds.

    `limit` is how many entries a call takes: halved while the server refuses, to find the one that it will not have.
    """

    def __init__(self, target: Target, now: float) -> None:
        self.target = target
        self.remote: Remote | None = None
        self.known: str | None = None
        self.own = True
        self.asked_in_vain = self.searched = False
        self.gone: str | None = None
        self.due = now
        self.oldest = now
        self.failures = 0
        self.doubtful = False
        self.writes_before = 0
        self.limit = MAX_ENTRIES
        self.conflicts = 0
        self.urgent = False
        self.started_ms = 0
        self._queue: deque[tuple[Entry, Ticket]] = deque()
        self._backends: dict[str, None] = {}
        self._introduced = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, entry: Entry, ticket: Ticket, now: float) -> int:
        """Queue an entry; return its bytes, 0 where it says nothing new and is not queued."""
        if isinstance(entry, Tag) and entry.name == BACKEND_TAG:
            if entry.value in self._backends:
                return 0
            self._backends[entry.value] = None
        if not self._queue:
            self.oldest = now
        self.urgent = self.urgent or isinstance(entry, End)
        self._queue.append((entry, ticket))
        ticket.left += 1
        return size_bytes(entry)

    def adopt(self, remote: Remote, *, own: bool) -> None:
        """Know the run; one that was deleted takes nothing more."""
        self.remote, self.known, self.own = remote, remote.run_id, own
        if remote.deleted:
            self.gone = f"MLflow run {remote.run_id} is deleted"
        earlier = dict.fromkeys(name for name in remote.backends.split(", ") if name)
        self._backends = earlier | self._backends

    def next_end(self) -> End | None:
        """Return the end of the run if that is what comes next."""
        head = self._queue[0][0] if self._queue else None
        return head if isinstance(head, End) and self.own else None

    def next_batch(self) -> tuple[Batch, int]:
        """Return what the next call writes and how many entries of the queue that settles. Changes nothing.

        Each limit of the server holds; an end of the run waits until everything before it is written.
        """
        batch, size, count = Batch(), 0, 0
        if not self.own and not self._introduced:
            batch.tags = {"qml.project": self.target.project, "qml.run": self.target.name}
        for entry, _ in self._queue:
            size += size_bytes(entry)
            full = size > MAX_BYTES or len(batch.metrics) >= MAX_METRICS or len(batch) >= MAX_ENTRIES
            full = full or len(batch.params) >= MAX_PARAMS or len(batch.tags) >= MAX_TAGS
            if count >= self.limit or (full and count) or (isinstance(entry, End) and self.own):
                break
            self._put(batch, entry)
            count += 1
        return batch, count

    def settle(self, count: int) -> int:
        """Take the first `count` entries out of the queue: they have arrived, or never will. Return their bytes."""
        size = 0
        for _ in range(count):
            entry, ticket = self._queue.popleft()
            size += size_bytes(entry)
            ticket.left -= 1
            if isinstance(entry, Param) and self.remote is not None:
                known = self.remote.params.setdefault(entry.name, entry.value)
                self.conflicts += known != entry.value
        self.urgent = self.urgent and bool(self._queue)
        self._introduced = True
        return size

    def _put(self, batch: Batch, entry: Entry) -> None:
        if isinstance(entry, Metric):
            batch.metrics.append(entry)
        elif isinstance(entry, Param):
            if self.remote is None or entry.name not in self.remote.params:
                batch.params.setdefault(entry.name, entry.value)
        elif isinstance(entry, Tag) and (self.own or not entry.own_only):
            batch.tags[entry.name] = ", ".join(self._backends) if entry.name == BACKEND_TAG else entry.value


def size_bytes(entry: Entry) -> int:
    """Return an upper bound of the entry's bytes in a request: JSON writes a character as six or twelve."""
    if isinstance(entry, Metric):
        return _METRIC_BYTES + _json_bytes(entry.name)
    return 40 if isinstance(entry, End) else 40 + _json_bytes(entry.name) + _json_bytes(entry.value)


def _json_bytes(text: str) -> int:
    return (2 if text.isascii() and text.isprintable() else 12) * len(text)
