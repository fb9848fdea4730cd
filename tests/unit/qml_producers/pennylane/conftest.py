from collections.abc import Callable, Iterator

import pennylane as qml
import pytest

from qml_producers.pennylane.instrumentation import PennylaneInstrumentation
from quantum_mlops.events import Event
from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.settings import Settings
from quantum_mlops.spool.reader import read_folder

Events = Callable[..., list[Event]]


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    recorder = Recorder(Settings(spool=str(tmp_path / "spool"), project="p"))
    recorder.start()
    yield recorder
    recorder.close()


@pytest.fixture
def instrumentation() -> PennylaneInstrumentation:
    return PennylaneInstrumentation()


@pytest.fixture
def installed(recorder, instrumentation) -> Iterator[PennylaneInstrumentation]:
    """The hooks are in place during the test, and no error of ours was counted at its end."""
    undo = instrumentation.install(recorder, qml)
    yield instrumentation
    undo()
    recorder.flush(10)
    assert recorder.stats().reasons == {}


@pytest.fixture
def events(recorder, tmp_path) -> Events:
    """What was recorded so far, of the types asked for (short names), in the order of time."""

    def read(*kinds: str) -> list[Event]:
        assert recorder.flush(10)
        names = {f"quantum_mlops.{kind}.v1" for kind in kinds}
        found = [event for event in read_folder(tmp_path / "spool") if not names or event.type in names]
        return sorted(found, key=lambda event: event.time)

    return read
