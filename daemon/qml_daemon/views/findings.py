"""One finding: its life as the log tells it, and where in the log its evidence lies."""

from msgspec import Struct, field
from msgspec.structs import replace

from qml_daemon.finding import FindingHistory, fold_finding
from quantum_mlops.events import Event, FindingChanged, short_name

CHANGES_KEPT = 64


class FindingRow(Struct):
    """A finding. `partition` and `offset` are those of the transition that holds its evidence and bundle.

    `changes` are (transition, what it was, ns), the first and the last 63.
    """

    project: str
    finding_id: str
    seen: int
    changed: int
    partition: int
    offset: int
    history: FindingHistory | None = None
    changes: list[tuple[int, str, int]] = field(default_factory=list)

    @property
    def columns(self) -> tuple[str | None, ...]:
        """What findings are filtered by: run, backend, status, rule, severity."""
        history = self.history
        if history is None:
            return (None, None, None, None, None)
        labels = history.labels
        return (labels.get("run"), labels.get("backend"), history.status, history.rule, history.severity)

    def apply(self, event: Event, data: FindingChanged, partition: int, offset: int) -> None:
        """Take one transition; they come in order."""
        if self.history is None:
            self.partition, self.offset = partition, offset
        slim = replace(data, evidence=replace(data.evidence, bundle=None))
        self.history = fold_finding(self.history, event, slim)
        name = (short_name(event.type) or "").removeprefix("finding.")
        self.changes.append((data.transition, name, event.time))
        if len(self.changes) > CHANGES_KEPT:
            del self.changes[1]
