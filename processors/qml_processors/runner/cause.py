"""The cause of a step's outputs: the event, or the timer and the event that armed it."""

from msgspec import Struct

from qml_processors.runner.rules_schedule import Config
from quantum_mlops.events import Event


class Cause(Struct, frozen=True, gc=False):
    """Why a step happened.

    `time` is the effective ingestedtime or the due time, (`source`, `id`) the event or the one that
    armed the timer, `before` the state before the step as msgpack (None: no bundle is wanted),
    `event` the event itself (None for a timer or a switch of rules).
    """

    time: int
    source: str
    id: str
    late: bool
    config: Config
    before: bytes | None = None
    event: Event | None = None
