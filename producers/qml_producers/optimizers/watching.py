"""Runs one minimization of the user's as a watched one."""

from collections.abc import Iterator
from contextlib import contextmanager

from qml_producers.optimizers.descent import WATCHING, Descent
from quantum_mlops.sdk.recorder import Recorder


def is_wanted(recorder: Recorder) -> bool:
    """Tell whether a minimization that begins now is to be watched: it is the outermost, in no step of the user's."""
    if WATCHING.get() is not None or not recorder.enabled:
        return False
    run = recorder.current_run()
    return run is None or run.steps.open is None


@contextmanager
def watching(recorder: Recorder, descent: Descent) -> Iterator[None]:
    """Watch what runs inside. Raises what it raises."""
    outside = WATCHING.set(descent)
    recorder.metric_listeners.append(descent.heard)
    try:
        yield
    finally:
        WATCHING.reset(outside)
        recorder.metric_listeners.remove(descent.heard)
        descent.finish()
