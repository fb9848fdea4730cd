"""A processor that comes in versions: the second one keeps its count under another name, and reads the first one's."""

import msgspec
from msgspec import Struct

from qml_processors.base import Finding
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import MetricLogged

TELL = "tell"


class Counted(Struct, gc=False):
    """The state of version 1."""

    events: int = 0


class Tallied(Struct, gc=False):
    """The state of version 2. `inherited` are the events that version 1 had counted."""

    seen: int = 0
    inherited: int = 0


class AgingProcessor:
    """Counts metrics; for one that is called `tell` a notice says how many, and which version counted."""

    name = "aging"
    bundled = False

    def __init__(self, version):
        self.version = version
        self.state = Counted if version == 1 else Tallied

    def keys(self, event):
        return ("all",) if isinstance(event.data, MetricLogged) else ()

    def open(self, key):
        return self.state()

    def apply(self, state, event, rules):
        if self.version == 1:
            state.events += 1
            values = {"events": float(state.events)}
        else:
            state.seen += 1
            values = {"events": float(state.seen + state.inherited), "inherited": float(state.inherited)}
        if TELL in event.data.values:
            yield Finding(transition="notice", rule="Counted", values=values)

    def next_timer(self, state, rules):
        return None

    def on_timer(self, state, due, rules):
        return ()

    def migrate(self, raw, from_version):
        if from_version != 1:
            raise StateTooNewError(f"{self.name}: a state of version {from_version} is not known")
        return Tallied(inherited=msgspec.msgpack.decode(raw, type=Counted).events)
