"""Outputs of one batch, and the index of open findings that they change."""

from msgspec.structs import replace

from qml_processors.runner.derive import Derived
from qml_processors.runner.series import OpenFinding, Series
from quantum_mlops.events import Event
from quantum_mlops.transports.base import DeadLetter

IndexKey = tuple[str, str, str, str]
"""(processor, partitionkey, key, rule)."""


class Outputs:
    """What is waiting for the commit. While not `live` (a recovery's replay) nothing is kept."""

    def __init__(self) -> None:
        self.live = True
        self.findings: list[Event] = []
        self.summaries: list[Event] = []
        self.dead_letters: list[DeadLetter] = []
        self.forwards: list[Event] = []
        self.index: dict[IndexKey, OpenFinding] = {}
        self.changed: dict[IndexKey, OpenFinding | None] = {}

    def adopt(self, series: Series, derived: Derived) -> None:
        """Put what a step derived in force: events to commit, open findings of the series."""
        before = series.open
        series.open = derived.open
        series.openings = derived.openings
        if not self.live:
            return
        self.findings += derived.findings
        self.summaries += derived.summaries
        if before is not derived.open and before != derived.open:
            for rule in before.keys() | derived.open.keys():
                if before.get(rule) != derived.open.get(rule):
                    self.set_open((*series.address, rule), derived.open.get(rule))

    def set_open(self, key: IndexKey, finding: OpenFinding | None) -> None:
        """Change one entry of the index; None removes it."""
        self.changed[key] = finding
        if finding is None:
            self.index.pop(key, None)
        else:
            self.index[key] = finding

    def bury(self, letter: DeadLetter) -> None:
        """Add a dead letter."""
        if self.live:
            self.dead_letters.append(letter)

    def forward(self, event: Event) -> None:
        """Send an event on to the partition of its key, where it is ingested anew."""
        if self.live:
            self.forwards.append(replace(event, ingestedtime=None))

    @property
    def waiting(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.findings or self.summaries or self.dead_letters or self.forwards or self.changed)

    def clear(self) -> None:
        """Forget what was committed."""
        self.findings = []
        self.summaries = []
        self.dead_letters = []
        self.forwards = []
        self.changed = {}
