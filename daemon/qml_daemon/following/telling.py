"""Events on their way into the spool, and what stands in the way of the follower: each said once."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from qml_daemon.following.outlet import Outlet
from qml_producers.following.followed import FollowedJob
from qml_producers.following.tellings import Telling
from quantum_mlops.events import Event, short_name

_logger = logging.getLogger(__name__)


class Faults:
    """What is wrong now, by what it is wrong with: the log, the store, the spool, the status."""

    def __init__(self) -> None:
        self._faults: dict[str, str] = {}

    @property
    def first(self) -> str | None:
        """One of them, None while all is well."""
        return next(iter(self._faults.values()), None)

    def blame(self, what: str, fault: str) -> None:
        """Note a fault; it is logged where it is new."""
        if self._faults.get(what) != fault:
            self._faults[what] = fault
            _logger.error("%s; trying again", fault)

    def clear(self, what: str) -> None:
        """Note that all is well again."""
        self._faults.pop(what, None)


class Teller:
    """Sends events; `told` counts them by type, `refused` those that the log would not take."""

    def __init__(self, outlet: Outlet, show: Callable[[Event], None], faults: Faults) -> None:
        self.told: Counter[str] = Counter()
        self.refused = 0
        self._outlet, self._show, self._faults = outlet, show, faults

    def send(self, job: FollowedJob | None, tellings: Sequence[Telling], now: int) -> bool:
        """Bring events into the spool; return whether they are safe, or will never be taken."""
        if job is None or not tellings:
            return True
        try:
            events, refused = self._outlet.send(job, tellings, now)
        except OSError as error:
            self._faults.blame("spool", f"the spool: {error.strerror or error}")
            return False
        self._faults.clear("spool")
        self.refused += len(refused)
        for reason in refused:
            _logger.error("%s: an event is not sent: %s", job.provider, reason)
        for event in events:
            self.told[short_name(event.type) or event.type] += 1
            self._show(event)
        return True
