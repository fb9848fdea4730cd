"""What stands in the recorder's queue between the caller's thread and the writer's."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from quantum_mlops.sdk.run import Run


class Item(Struct, frozen=True):
    """One event that a deferred builder made.

    `type` is a short name of the contract ("job.completed") or any CloudEvents type, `partitionkey`
    None the project, `time` (nanoseconds UTC) None that of the call, `context` further attributes of
    the envelope.
    """

    type: str
    data: Struct | Mapping[str, Any]
    partitionkey: str | None = None
    time: int | None = None
    context: Mapping[str, Any] | None = None


Builder: TypeAlias = Callable[[], Iterable[Item]]


class Deferred:
    """Work for the writer thread: a builder of events, and what it keeps alive."""

    __slots__ = ("build", "size_bytes")

    def __init__(self, build: Builder, size_bytes: int) -> None:
        self.build = build
        self.size_bytes = size_bytes


class Ticket:
    """A place in the queue: `done` is set when everything before it is written, or `failed`."""

    __slots__ = ("done", "failed")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.failed = False


class Entry(NamedTuple):
    """One call of `emit`. The queue holds plain tuples of these fields, which are cheaper to make."""

    time: int
    type: str
    data: Any
    partitionkey: str | None
    run: "Run | None"
    step: int | None
    context: Mapping[str, Any] | None
