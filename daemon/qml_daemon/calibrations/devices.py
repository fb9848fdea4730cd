"""Which devices are in use: those on which the jobs of the log ran."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from qml_daemon.views.backends import BackendRow
from qml_daemon.views.reader import ViewReader, Window
from qml_daemon.views.schema import BACKENDS
from qml_daemon.views.store import FILE
from qml_producers.calibrations.polling import MAX_DEVICES, Device
from quantum_mlops.errors import LogError

_decode = msgspec.msgpack.Decoder(BackendRow).decode


def devices_of_views(state_dir: Path) -> Callable[[], list[Device]]:
    """Return a function that reads the devices anew: the 500 that came last; none while there are no views."""

    def read() -> list[Device]:
        path = state_dir / FILE
        if not path.is_file():
            return []
        try:
            views = ViewReader(path)
        except LogError:  # of another version: the daemon makes them anew
            return []
        try:
            rows = [_decode(body) for _, body in views.page(BACKENDS, {}, Window(limit=MAX_DEVICES))]
        except LogError:  # being replaced: the next look finds them
            return []
        finally:
            views.close()
        facts = [(row.merged.facts.get("provider"), row.backend) for row in rows]
        return [(provider, backend) for provider, backend in facts if isinstance(provider, str)]

    return read
