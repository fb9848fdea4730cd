"""A processor that raises for what a test chose, and else remembers that it was well."""

from msgspec import Struct

from qml_processors.base import Finding
from quantum_mlops.errors import StateTooNewError
from quantum_mlops.events import MetricLogged

POISON = "poison"
OPEN = "open"


class Seen(Struct, gc=False):
    """Events since the last reset, and whether the finding is open."""

    events: int = 0
    open: bool = False


class RaisingProcessor:
    """Raises where an event's metric is called `poison`; opens a finding where it is called `open`."""

    name = "raising"
    version = 1
    state = Seen

    def keys(self, event):
        return (event.context.runid or "none",) if isinstance(event.data, MetricLogged) else ()

    def open(self, key):
        return Seen()

    def apply(self, state, event, rules):
        state.events += 1
        if POISON in event.data.values:
            raise RuntimeError("poisoned")
        if OPEN in event.data.values and not state.open:
            state.open = True
            yield Finding(transition="opened", rule="Seen")

    def next_timer(self, state, rules):
        return None

    def on_timer(self, state, due, rules):
        return ()

    def migrate(self, raw, from_version):
        raise StateTooNewError("there is one version only")
