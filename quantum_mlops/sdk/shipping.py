"""What becomes of a recorder's spool: a daemon reads it, or a shipper of this process brings it to a service."""

import contextlib
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

from quantum_mlops.sdk.notice import Notices, describe, say
from quantum_mlops.sdk.settings import Settings

if TYPE_CHECKING:
    from quantum_mlops.shipping.shipper import Shipper


class Outbound:
    """Starts the shipper where the target is a service. Never raises; without a service everything is a no-op.

    `shipper` is None where there is none, or none could be started, which was said.
    """

    def __init__(self, settings: Settings, nonce: str, notices: Notices) -> None:
        self._settings = settings
        self.shipper = None if settings.target is None else _start(settings, settings.target, nonce, notices)

    def drain(self, deadline_seconds: float) -> bool:
        """Return whether what is in the spool now was acknowledged within the deadline."""
        if self._settings.target is None:
            return True
        return self.shipper is not None and self.shipper.drain(deadline_seconds)

    def finish(self, *, ended: bool) -> int:
        """Ship what is left for at most `flush_seconds`; then say how much stays, where, and how to send it.

        `ended` says that the spool is closed. Returns the bytes that stay.
        """
        target, folder = self._settings.target, self._settings.spool
        if target is None:
            return 0
        left = (
            _held_bytes(folder)
            if self.shipper is None
            else self.shipper.finish(self._settings.flush_seconds, ended=ended)
        )
        if left:
            why = f" ({self.shipper.trouble})" if self.shipper is not None and self.shipper.trouble is not None else ""
            size = f"{-(-left // 1024)} KiB" if left < 1024**2 else f"{left / 1024**2:.1f} MiB"
            say(
                f"{size} of events are not at {target} yet{why}; they are kept in {folder}; to send them: "
                f"quantum-mlops ship --once --spool {folder} --target {target}"
            )
        return left

    def abandon(self) -> None:
        """Let go of a parent process's connection and locks: after a fork."""
        if self.shipper is not None:
            self.shipper.abandon()


def _start(settings: Settings, target: str, nonce: str, notices: Notices) -> "Shipper | None":
    # Imported here: http.client, ssl and asyncio only where something is sent.
    from quantum_mlops.shipping.address import parse_target  # noqa: PLC0415
    from quantum_mlops.shipping.connection import find_exposed, make_connection  # noqa: PLC0415
    from quantum_mlops.shipping.heads import ProcessSource  # noqa: PLC0415
    from quantum_mlops.shipping.shipment import Shipment  # noqa: PLC0415
    from quantum_mlops.shipping.shipper import Shipper  # noqa: PLC0415

    folder = Path(settings.spool)
    try:
        address = parse_target(target)
        if exposed := find_exposed(address, os.environ):
            say(exposed)
        client = make_connection(address, os.environ, folder)
        shipment = Shipment(folder, client, time.time_ns, notices.again)
        own = random.Random()  # noqa: S311 - jitter; the host's random numbers stay what its seed makes them
        shipper = Shipper(ProcessSource(folder, nonce), shipment, client, notices.again, own.random)
        shipper.start()
    except (OSError, RuntimeError) as error:
        say(f"nothing is sent to {target} by this process: {describe(error)}; events stay in {folder}")
        return None
    return shipper


def _held_bytes(folder: str) -> int:
    """Return what the spool holds; 0 where it cannot be read."""
    from quantum_mlops.shipping.heads import list_segments  # noqa: PLC0415 - as above

    with contextlib.suppress(OSError):  # why nothing is sent was said at the start
        return sum(size for _, size in list_segments(Path(folder)))
    return 0
