"""One call for one run: find it, write to it, end it; and what follows from a refusal.

The server tells only that a batch is refused, not for which entry: the batch is halved until one is
left, and that is left behind. A run that was deleted takes nothing more.
"""

from qml_daemon.exporters.mlflow.door import Door
from qml_daemon.exporters.mlflow.lane import MAX_ENTRIES, Lane
from qml_daemon.exporters.mlflow.mismatch import Mismatches
from qml_daemon.exporters.mlflow.tally import Tally
from qml_daemon.exporters.store import ExporterStore
from quantum_mlops.errors import DeliveryError

MOST_FAILURES = 10


class Caller:
    """Makes the calls. `call` raises what `Door` raises; both methods return the entries and bytes that are settled."""

    def __init__(self, door: Door, store: ExporterStore, tally: Tally, mismatches: Mismatches) -> None:
        self._door = door
        self._store = store
        self._tally = tally
        self._mismatches = mismatches

    def call(self, lane: Lane) -> tuple[int, int]:
        """Make the one call that is next for a run.

        Raises:
            PermanentError, RetryableError: as `Door` says.
            LogError: the store failed.

        """
        if lane.gone is not None:
            return self._leave(lane, len(lane), lane.gone)
        self._tally.calls += 1
        if lane.remote is None:
            self._find(lane)
            return self._leave(lane, len(lane), lane.gone) if lane.gone else (0, 0)
        end = lane.next_end()
        if end is not None:
            self._door.end(lane.remote.run_id, end)
            self._tally.sent["ends"] += 1
            return self._settle(lane, 1)
        batch, count = lane.next_batch()
        if batch:
            self._door.write(lane.remote.run_id, batch)
            self._tally.count_batch(batch)
        lane.limit, lane.doubtful = min(MAX_ENTRIES, lane.limit * 2), False
        return self._settle(lane, count)

    def refuse(self, lane: Lane, error: DeliveryError) -> tuple[int, int]:
        """Act on a refusal: no run is to be had, or look at it again, or halve the batch, or leave one entry behind."""
        if lane.remote is None:
            return self._leave(lane, len(lane), f"no MLflow run can be had: {error}")
        if not lane.doubtful:
            lane.doubtful, lane.remote = True, None
            return 0, 0
        count = 1 if lane.next_end() is not None else lane.next_batch()[1]
        if count > 1:
            lane.limit = count // 2
            return 0, 0
        return self._leave(lane, 1, str(error))

    def is_stubborn(self, lane: Lane) -> bool:
        """Whether a lane fails again and again while others, or other parts of it, are taken."""
        if lane.failures == 1:
            lane.writes_before = self._tally.writes
        return lane.failures >= MOST_FAILURES and self._tally.writes > lane.writes_before

    def _find(self, lane: Lane) -> None:
        """Come one call nearer to the run: the known one, else the user's, else one made before, else one made now."""
        target = lane.target
        known = lane.known or self._store.find(target.key)
        asked = "" if lane.asked_in_vain else target.asked
        if known or asked:
            remote = self._door.read_run(known or asked)
            if remote is None:
                self._store.forget(target.key)
                lane.known = None
                if (known or asked) == target.asked:
                    lane.asked_in_vain = True
                    self._mismatches.miss(target)
                return
        elif not lane.searched:
            remote = self._door.find_run(target)
            lane.searched = True
            if remote is None:
                return
        else:
            remote = self._door.create_run(target, lane.started_ms)
            self._tally.sent["runs"] += 1
        lane.adopt(remote, own=remote.run_id != target.asked)
        if known != remote.run_id:
            name = target.name if target.kind == "run" else f"series/{target.name}"
            self._store.keep(target.key, (target.project, name, target.asked, remote.run_id))

    def _leave(self, lane: Lane, count: int, reason: str) -> tuple[int, int]:
        if count:
            self._tally.refuse(lane.target, count, reason)
        return self._settle(lane, count)

    def _settle(self, lane: Lane, count: int) -> tuple[int, int]:
        size = lane.settle(count)
        self._tally.sent["conflicting_params"] += lane.conflicts
        lane.conflicts = 0
        return count, size
