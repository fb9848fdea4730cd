"""What one series of jobs remembers: of one backend, or of the project as a whole."""

from msgspec import Struct, field

from qml_processors.lifecycle.failures import Chart
from qml_processors.lifecycle.objectives import Budget
from qml_processors.lifecycle.table import Table


class JobsState(Struct, gc=False):
    """One series.

    Attributes:
        key: `backend/<name>` or `project`.
        project: Of the last event.
        table: The jobs.
        base: The chart of the jobs that left the table (or are not to be charted again).
        tip: The chart after the jobs in the table, too.
        floor: The end up to which jobs of the table are in `base`.
        failing: Whether JobFailureRate is open.
        heard: The log's time of the last job that ended with a result or a failure.
        stuck: The statuses of which JobStuck is open.
        budgets: The objectives' counts by name.
        seen: The log's time of the last event.

    """

    key: str = ""
    project: str = ""
    table: Table = field(default_factory=Table)
    base: Chart = field(default_factory=Chart)
    tip: Chart = field(default_factory=Chart)
    floor: int | None = None
    failing: bool = False
    heard: int | None = None
    stuck: list[str] = field(default_factory=list)
    budgets: dict[str, Budget] = field(default_factory=dict)
    seen: int | None = None

    @property
    def backend(self) -> str | None:
        """The backend's name; None for the project's series."""
        return self.key.partition("/")[2] if self.key.startswith("backend/") else None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return self.backend or f"project {self.project}".strip()

    @property
    def labels(self) -> dict[str, str]:
        """What identifies every alert of the series."""
        labels = {} if self.backend is None else {"backend": self.backend}
        return labels | {"project": self.project} if self.project else labels
