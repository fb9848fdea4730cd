"""What can be written to an MLflow run, and the run it is meant for. Times are milliseconds UTC, as MLflow's are."""

import hashlib
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct, field

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]


class Metric(Struct, frozen=True, gc=False):
    """One value; MLflow keeps one row of equal (name, value, time, step)."""

    name: str
    value: float
    time_ms: int
    step: int = 0


class Param(Struct, frozen=True, gc=False):
    """A parameter; MLflow never changes one."""

    name: str
    value: str


class Tag(Struct, frozen=True, gc=False):
    """A tag; the last value stays. With `own_only` it is for runs that the exporter made."""

    name: str
    value: str
    own_only: bool = False


class End(Struct, frozen=True, gc=False):
    """The end of a run that the exporter made."""

    status: RunStatus
    time_ms: int


Entry: TypeAlias = Metric | Param | Tag | End


class Target(Struct, frozen=True):
    """Whose MLflow run it is: a run's (`kind` "run"), or the windows' of a project or backend ("series").

    `asked` is the MLflow run that the user's own events name, `""` where they name none.
    """

    project: str
    kind: Literal["run", "series"]
    name: str
    asked: str = ""

    @property
    def key(self) -> str:
        """A name for it in 32 hex digits, by which the run is found again."""
        return hashlib.sha256(msgspec.msgpack.encode([self.project, self.kind, self.name, self.asked])).hexdigest()[:32]


class Remote(Struct, frozen=True):
    """An MLflow run as the server tells it."""

    run_id: str
    deleted: bool = False
    params: dict[str, str] = field(default_factory=dict)
    backends: str = ""


class Batch(Struct):
    """What one call writes: at most one value a parameter and a tag."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.metrics) + len(self.params) + len(self.tags)
