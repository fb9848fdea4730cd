"""The envelope: one event as the program holds it, a CloudEvents 1.0 event in memory.

Times are ints of nanoseconds UTC. The JSON shape is made and read by `quantum_mlops.codec` alone.

Source: CloudEvents 1.0.2, section 3 (context attributes); docs/architecture.md, "Envelope".
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Label = Annotated[str, Meta(max_length=512)]
Step = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an event belongs to; every attribute is optional.

    >>> Context(runid="r1", step=3).step
    3
    """

    subject: Label | None = None
    runid: Label | None = None
    step: Step | None = None
    experimentid: Label | None = None
    variant: Label | None = None
    blockid: Label | None = None
    mlflowrunid: Label | None = None
    traceparent: Label | None = None


class UnknownData(Struct, frozen=True, gc=False):
    """The data of a type that this version does not know, kept as the JSON it came in."""

    json: Raw


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """One event.

    `source` and `id` together are unique: `qml://<host>/<nonce>/<n>` and the stream's counter as 16
    hex digits from our own emitters, anything from foreign ones. `partitionkey` is the project for
    run events and the backend for calibrations. `ingestedtime` is set by the log on append.
    `data` is one of the structs in `quantum_mlops.events`, or `UnknownData`.
    """

    id: Name
    source: Name
    type: Name
    time: int
    partitionkey: Label
    project: Label = ""
    context: Context = Context()
    ingestedtime: int | None = None
    data: Struct

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the event: (source, id)."""
        return (self.source, self.id)
