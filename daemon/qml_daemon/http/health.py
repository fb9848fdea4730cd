"""What the main loop says about itself, and the two routes that tell it: `/-/healthy` and `/-/ready`."""

import time
from collections.abc import Callable
from typing import Literal

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from qml_daemon.http.problem import Problem

READY_SECONDS = 10.0
HEALTHY_SECONDS = 60.0


class Health:
    """Written by the main loop, read by any thread. `fault` is the last error while it lasts, `trouble` its meaning."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        name: str = "daemon",
        trouble: str = "the log cannot be written",
    ) -> None:
        self._name = name
        self._trouble = trouble
        self._monotonic = monotonic
        self._beaten = monotonic()
        self.state: Literal["starting", "running", "stopping"] = "starting"
        self.fault: str | None = None

    def beat(self) -> None:
        """Say that the main loop came round."""
        self._beaten = self._monotonic()

    def silence_seconds(self) -> float:
        """Return how long ago the main loop came round."""
        return self._monotonic() - self._beaten

    def unready(self) -> str | None:
        """Return why the daemon does not take events now, or None."""
        if self.state != "running":
            return f"the {self._name} is {self.state}"
        if self.fault is not None:
            return f"{self._trouble}: {self.fault}"
        silent = self.silence_seconds()
        if silent > READY_SECONDS:
            return f"the main loop has not come round for {silent:.0f} s"
        return None


def routes(health: Health) -> list[Route]:
    """Return `/-/healthy` (is it alive: restart it if not) and `/-/ready` (does it take events now)."""

    async def healthy(request: Request) -> Response:  # noqa: ARG001 - the signature of a handler
        silent = health.silence_seconds()
        if health.state == "running" and silent > HEALTHY_SECONDS:
            raise Problem(503, f"the main loop has not come round for {silent:.0f} s")
        return PlainTextResponse("healthy\n")

    async def ready(request: Request) -> Response:  # noqa: ARG001 - the signature of a handler
        reason = health.unready()
        if reason is not None:
            raise Problem(503, reason, {"Retry-After": "1"})
        return PlainTextResponse("ready\n")

    return [Route("/-/healthy", healthy), Route("/-/ready", ready)]
