"""A recorder on a folder of its own, and what it wrote: for the instrumentations of all SDKs."""

from collections.abc import Callable, Iterator

import pytest

from quantum_mlops.events import Event
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="p"))
    recorder.start()
    yield recorder
    recorder.close()


@pytest.fixture
def events(recorder, tmp_path) -> Callable[..., list[Event]]:
    """What was recorded so far, of the types asked for (short names), in the order of time."""

    def read(*kinds: str) -> list[Event]:
        assert recorder.flush(10)
        names = {f"quantum_mlops.{kind}.v1" for kind in kinds}
        found = [event for event in read_folder(tmp_path / "spool") if not names or event.type in names]
        return sorted(found, key=lambda event: event.time)

    return read
