from collections.abc import Iterator

import pennylane as qml
import pytest

from qml_producers.pennylane.instrumentation import PennylaneInstrumentation


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
