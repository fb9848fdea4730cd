"""The follower at work: from the log to the providers, from their answers to the spool.

One loop decides; each provider's door has a thread of its own. What an answer tells is in the spool before the store
knows of it, so a crash in between tells it again, under the same id.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct

from qml_daemon.following.doors import OpenDoor
from qml_daemon.following.feed import EventFeed
from qml_daemon.following.lane import Answer
from qml_daemon.following.outlet import Outlet
from qml_daemon.following.providers import Providers
from qml_daemon.following.status import FollowerStatus
from qml_daemon.following.store import FollowerStore
from qml_daemon.following.telling import Faults, Teller
from qml_daemon.history import LogReader
from qml_daemon.plain_text import safe
from qml_producers.following.jobs import Jobs, Key, Serves, serve_all
from qml_producers.following.plan import Plan
from qml_producers.observing.door import Sight
from quantum_mlops.clock import Clock
from quantum_mlops.errors import ConfigError, LogError, PermanentError, RetryableError
from quantum_mlops.events import Event
from quantum_mlops.version import __version__

IDLE_SECONDS = 0.5
OPEN_AGAIN_SECONDS = 300.0
STATUS_SECONDS = 2.0
LOG_ID = "log-id"
_MAX_TEXT = 500

_logger = logging.getLogger(__name__)


class Terms(Struct, frozen=True, kw_only=True):
    """How providers are asked; see `FollowerSection`. `named` are those that must be there, `serves` as in `Jobs`."""

    interval_seconds: float
    calls_per_minute: int
    max_jobs: int
    timeout_seconds: float
    named: frozenset[str] = frozenset()
    serves: Serves = serve_all


class Parts(Struct, frozen=True, kw_only=True):
    """What a follower works with, and closes. `show` is shown each event that was told, `report` the figures."""

    reader: LogReader
    store: FollowerStore
    outlet: Outlet
    show: Callable[[Event], None]
    report: Callable[[FollowerStatus], None]


class Follower:
    """Follows open jobs. Used from one thread; `halt` from any, also from a signal handler.

    Args:
        doors: How to open each provider's door.
        terms: How they are asked.
        parts: The log, the store, the spool.
        clock: The wall clock.

    Raises:
        LogError: the log or the store cannot be read.

    """

    def __init__(self, doors: Mapping[str, OpenDoor], terms: Terms, parts: Parts, clock: Clock) -> None:
        self.providers = Providers(doors, terms.timeout_seconds)
        self._terms, self._parts, self._clock = terms, parts, clock
        parts.store.settle(parts.reader.cursor(LOG_ID), doors)
        self._jobs = Jobs(doors, terms.max_jobs, terms.serves)
        parts.store.load(self._jobs)
        self._feed = EventFeed(parts.reader, parts.store.positions())
        self._plan = Plan(self._jobs, doors, terms.interval_seconds, terms.calls_per_minute)
        self._asked: set[Key] = set()
        self._saved = dict(self._feed.next)
        self._faults = Faults()
        self._teller = Teller(parts.outlet, parts.show, self._faults)
        self._started = clock()
        self._halted = threading.Event()
        self._closed = False

    def halt(self) -> None:
        """End `run` soon."""
        self._halted.set()
        self.providers.wake()

    def run(self, *, once: bool = False) -> None:
        """Work until `halt`; with `once` until each open job has been asked for, or cannot be.

        Raises:
            ConfigError: no provider that was named can be asked.

        """
        for name in sorted(self._terms.named & self.providers.tallies.keys()):
            self.providers.open(name)
        if once:
            self._plan.hurry()
        reported = -STATUS_SECONDS
        while not self._halted.is_set():
            at = time.monotonic()
            wait = self.step(at)
            if at - reported >= STATUS_SECONDS:
                reported = at
                self._report("running")
            if once and wait and self.is_done():
                break
            self.take_answers(min(wait, IDLE_SECONDS))

    def step(self, at: float) -> float:
        """Read the log, ask who is to be asked; return the seconds until there is more to do without an answer."""
        try:
            whole = self._feed.read(self._jobs.take)
        except LogError as error:
            self._faults.blame("log", str(error))
            return IDLE_SECONDS
        self._faults.clear("log")
        self._jobs.expire(self._clock())
        self._plan.prune()
        for name, key, reason in self.providers.abandon(at):
            self._fail(name, key, TimeoutError(reason), self._clock(), at)
        wait = self._ask(at) if whole else 0.0
        self._save()
        return wait

    def take_answers(self, seconds: float) -> None:
        """Wait for an answer at most so long, then take all that are there.

        Raises:
            ConfigError: no provider that was named can be asked.

        """
        for answer in self.providers.wait(seconds):
            self._take(answer, self._clock(), time.monotonic())
        self._save()

    def is_done(self) -> bool:
        """Return whether each open job has been asked for once since the start, or cannot be."""
        return self.providers.is_quiet() and all(key in self._asked for key in self._jobs)

    def status(self, state: Literal["running", "stopped"]) -> FollowerStatus:
        """Return the figures of this moment."""
        try:
            behind = self._feed.behind()
        except LogError as error:
            self._faults.blame("log", str(error))
            behind = 0
        return FollowerStatus(
            version=__version__,
            pid=os.getpid(),
            state=state,
            started=self._started,
            written=self._clock(),
            behind=behind,
            removed=self._feed.removed,
            told=dict(self._teller.told),
            given_up=self._jobs.given_up,
            refused_events=self._teller.refused,
            fault=self._faults.first,
            providers={
                name: tally.status(list(self._jobs.of(name).values())) for name, tally in self.providers.tallies.items()
            },
        )

    def close(self, seconds: float = 1.0) -> None:
        """Store what is known and let go; a door that does not return within `seconds` ends with the process.

        Idempotent.
        """
        if self._closed:
            return
        self._closed = True
        self.providers.close(seconds)
        self._save()
        self._report("stopped")
        try:
            self._parts.outlet.close()
        except OSError as error:
            self._faults.blame("spool", f"the spool: {error.strerror}")
        finally:
            self._parts.store.close()
            self._parts.reader.close()

    def _ask(self, at: float) -> float:
        wait, now = IDLE_SECONDS, self._clock()
        for name in self.providers.tallies:
            found = self._plan.next_look(name, now, at) if self.providers.is_free(name) else None
            if found is None:
                continue
            due, key = found
            job = self._plan.call(name, key, at) if due <= at else None
            if job is None:
                wait = min(wait, max(due - at, 0.01))
            else:
                self.providers.ask(name, key, job.asked)
        return wait

    def _take(self, answer: Answer, now: int, at: float) -> None:
        provider, key, error = answer.lane.provider, answer.key, answer.error
        if key is not None:
            self._asked.add(key)
        if isinstance(error, PermanentError) and key is not None:
            self._refuse(provider, key, _text(error), now, at)
        elif error is not None:
            self._fail(provider, key, error, now, at)
        elif key is not None and answer.sight is not None:
            self.providers.tallies[provider].answered(now)
            self._settle(key, answer.sight, now, at)

    def _settle(self, key: Key, sight: Sight, now: int, at: float) -> None:
        tellings = self._plan.judge(key, sight)
        if self._teller.send(self._jobs.get(key), tellings, now):
            self._plan.settle(key, sight, tellings, now, at)
        else:
            self._plan.delay(key, at, self._terms.interval_seconds)

    def _refuse(self, provider: str, key: Key, reason: str, now: int, at: float) -> None:
        if self.providers.tallies[provider].refused(f"{key[1]}: {reason}", now):
            _logger.warning("%s: job %s: %s", provider, key[1], reason)
        lost = self._plan.refuse(key, reason, now, at)
        if self._teller.send(self._jobs.get(key), lost, now) and self._plan.lose(key, now):
            _logger.warning("%s: job %s is followed no longer: %s", provider, key[1], reason)

    def _fail(self, provider: str, key: Key | None, error: Exception, now: int, at: float) -> None:
        tally = self.providers.tallies[provider]
        said = error.retry_after_seconds if isinstance(error, RetryableError) else None
        reason = _text(error).removeprefix(f"{provider}: ")
        if isinstance(error, ConfigError):
            said, tally.closed = OPEN_AGAIN_SECONDS, reason
        pause = self._plan.fail(provider, key, said, at)
        if tally.failed(reason, now, pause):
            _logger.error("%s cannot be asked: %s; again in %.0f s", provider, reason, pause)
        self._asked |= self._jobs.of(provider).keys()
        self._end_without_doors()

    def _end_without_doors(self) -> None:
        named = {name: self.providers.tallies[name] for name in self._terms.named}
        if named and all(tally.closed is not None and not tally.looks for tally in named.values()):
            raise ConfigError("\n".join(f"{name}: {tally.closed}" for name, tally in sorted(named.items())))

    def _save(self) -> None:
        moved = {one: at for one, at in self._feed.next.items() if self._saved.get(one) != at}
        if not self._jobs.changed and not moved:
            return
        try:
            self._parts.store.save(self._jobs, self._jobs.changed, moved)
        except LogError as error:
            self._faults.blame("store", str(error))
            return
        self._faults.clear("store")
        self._saved |= moved
        self._jobs.changed.clear()

    def _report(self, state: Literal["running", "stopped"]) -> None:
        try:
            self._parts.report(self.status(state))
            self._parts.outlet.renew()
        except OSError as error:
            self._faults.blame("status", f"the follower's status: {error.strerror}")
        else:
            self._faults.clear("status")


def _text(error: Exception) -> str:
    """What is said of an error: a door's own words, or what an SDK raised; on one line."""
    ours = isinstance(error, ConfigError | RetryableError | PermanentError | TimeoutError)
    return safe(str(error) if ours else f"{type(error).__name__}: {error}")[:_MAX_TEXT]
