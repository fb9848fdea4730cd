"""Which devices are in use, by which projects: those on which the jobs of the log ran."""

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


def devices_of_views(state_dir: Path) -> Callable[[], dict[Device, list[str]]]:
    """Return a function that reads the devices anew: the 500 that came last; none while there are no views."""

    def read() -> dict[Device, list[str]]:
        path = state_dir / FILE
        if not path.is_file():
            return {}
        try:
            views = ViewReader(path)
        except LogError:  # of another version: the daemon makes them anew
            return {}
        try:
            rows = [_decode(body) for _, body in views.page(BACKENDS, {}, Window(limit=MAX_DEVICES))]
        except LogError:  # being replaced: the next look finds them
            return {}
        finally:
            views.close()
        found: dict[Device, list[str]] = {}
        for row in rows:
            provider = row.merged.facts.get("provider")
            if isinstance(provider, str):
                found.setdefault((provider, row.backend), []).append(row.project)
        return found

    return read
