"""What runs inside a device's call: other SDKs, whose own jobs are not reported again but lend their ids."""

from collections.abc import Callable
from typing import Any

from qml_producers.observing.nesting import Nested


class DeviceCall(Nested):
    """An outermost call of a device, as those inside it meet it in `INSIDE`."""

    def __init__(self, on_met: Callable[[str], None] | None = None) -> None:
        self.inner: list[str] = []
        self._on_met = on_met

    def met(self, job_id: str) -> None:
        """Note the provider's id of a job or task that this call made. Thread-safe."""
        if job_id not in self.inner:
            self.inner.append(job_id)
            if self._on_met is not None and len(self.inner) == 1:
                self._on_met(job_id)


def tell_outer(call: Any, job_id: Any) -> None:
    """Note the id with `call`, what `INSIDE` holds, where that is a device's call."""
    if isinstance(call, DeviceCall) and job_id:
        call.met(str(job_id))
