"""`braket.jobs.metrics.log_metric`: what a hybrid job logs for Braket becomes `metric.logged`, too.

A plain function stands in for the SDK's, so that it pickles by its name as that does. Who imported the name before
`autolog()` keeps the SDK's own.
"""

import functools
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from quantum_mlops.sdk.recorder import Recorder
from quantum_mlops.sdk.scalars import pack_metrics

_MICROSECONDS = 1_000_000  # finer than a float tells of an instant
_NAMES = ("metric_name", "value", "timestamp", "iteration_number")


def install(recorder: Recorder, module: ModuleType) -> Callable[[], None]:
    """Put our `log_metric` in the module; return the undo, which is idempotent."""
    original = module.log_metric
    active = [True]

    @functools.wraps(original)
    def log_metric(*args: Any, **kwargs: Any) -> Any:
        done = original(*args, **kwargs)
        if active:
            _record(recorder, dict(zip(_NAMES, args, strict=False)) | kwargs)
        return done

    module.log_metric = log_metric  # type: ignore[attr-defined]

    def undo() -> None:
        active.clear()
        if module.log_metric is log_metric:
            module.log_metric = original  # type: ignore[attr-defined]

    return undo


def _record(recorder: Recorder, given: dict[str, Any]) -> None:
    try:
        name, step, timestamp = str(given["metric_name"]), given.get("iteration_number"), given.get("timestamp")
        data, refused = pack_metrics({name: given["value"]}, None)
        if refused:
            recorder.report("invalid", "metric.logged", TypeError(f"no number: {name}"))
        if data is not None:
            at = _nanoseconds(timestamp)
            recorder.emit("metric.logged", data, time=at, step=step if isinstance(step, int) else None)
    except Exception as error:  # noqa: BLE001 - ours, not the user's: counted
        recorder.report("invalid", "metric.logged", error)


def _nanoseconds(timestamp: Any) -> int | None:
    """The instant that was given, None where none was and now is meant."""
    if not isinstance(timestamp, (int, float)) or not math.isfinite(timestamp) or timestamp <= 0:
        return None
    return round(timestamp * _MICROSECONDS) * 1000
