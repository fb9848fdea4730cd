"""Tells systemd that the service is ready, reloading, stopping, and that its loop still turns.

Source: systemd documentation, sd_notify(3), "Standalone implementations".
"""

import os
import socket
import time
from collections.abc import Callable, Mapping


def notify_systemd(environ: Mapping[str, str], state: str) -> bool:
    """Send a state (`READY=1`, `WATCHDOG=1`) to the socket in NOTIFY_SOCKET; False where there is none."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall(state.encode())
        except OSError:
            return False
    return True


class Watchdog:
    """Says from the main loop that it turns, twice in each WATCHDOG_USEC; does nothing where systemd does not ask.

    Source: sd_watchdog_enabled(3).
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._clock = clock
        microseconds = environ.get("WATCHDOG_USEC", "")
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._period_seconds = int(microseconds) / 2e6 if microseconds.isdecimal() and mine else None
        self._next = clock()

    def beat(self) -> None:
        """Tell systemd if it is time."""
        if self._period_seconds is not None and (now := self._clock()) >= self._next:
            self._next = now + self._period_seconds
            notify_systemd(self._environ, "WATCHDOG=1")
