"""A processor that only counts: what was lost or counted twice shows at once, whatever the others made of it."""

import msgspec
from msgspec import Struct

from qml_processors.base import Processor
from qml_processors.runner import load_processors
from quantum_mlops.errors import StateTooNewError
from tests.kafka.story import Truth, identify


class CountState(Struct, gc=False):
    """Events seen, and the sum over their identities."""

    events: int = 0
    digest: int = 0


class CountingProcessor:
    """One series a project."""

    name = "counting"
    version = 1
    state = CountState
    bundled = False

    def keys(self, event):
        return ("all",)

    def open(self, key):
        return CountState()

    def apply(self, state, event, rules):
        state.events += 1
        state.digest += identify(event)
        return ()

    def next_timer(self, state, rules):
        return None

    def on_timer(self, state, due, rules):
        return ()

    def migrate(self, raw, from_version):
        raise StateTooNewError("there is one version only")


def all_processors() -> list[Processor]:
    """Return the installed processors and the one that counts."""
    return [*load_processors(), CountingProcessor()]


def read_counts(states: bytes) -> dict[str, Truth]:
    """Return by project what was counted, from the canonical bytes of all states."""
    counted = {}
    for processor, project, _, state, *_ in msgspec.msgpack.decode(states):
        if processor == CountingProcessor.name:
            found = msgspec.msgpack.decode(state)
            counted[project] = Truth(found["events"], found["digest"])
    return counted
