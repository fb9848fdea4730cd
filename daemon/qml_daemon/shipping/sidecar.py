"""Ships one spool until it is stopped, or until it is empty."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from qml_daemon.intake.adoption import this_host
from qml_daemon.shipping.source import SpoolSource
from quantum_mlops.clock import system_clock
from quantum_mlops.errors import ConfigError, RetryableError
from quantum_mlops.shipping.backoff import delay_seconds
from quantum_mlops.shipping.connection import Connection
from quantum_mlops.shipping.shipment import Counts, Shipment
from quantum_mlops.spool.claim import SpoolClaim

POLL_SECONDS = 1.0
LAST_SECONDS = 5.0
GIVE_UP_SECONDS = 60.0
PROGRESS_SECONDS = 5.0
MOST_TOPICS = 100


class Left(Struct, frozen=True):
    """What stays in the spool: bytes that were not sent, and writers that ship their own."""

    size_bytes: int
    busy: int
    trouble: str | None


class Sidecar:
    """`run` until `stop` is set, then `close`; from one thread.

    Args:
        folder: the spool.
        connection: to the service or the Kafka cluster; closed at the end.
        say: prints a line of progress.

    Raises:
        ConfigError: the spool is no folder, or another process reads it: a daemon, or another `ship`.

    """

    def __init__(self, folder: Path, connection: Connection, say: Callable[[str], None]) -> None:
        self.stop = threading.Event()
        self._folder = folder
        self._say = say
        self._claim = SpoolClaim(folder)
        self._check()
        self._client = connection
        self._source = SpoolSource(folder, this_host(), system_clock)
        self._shipment = Shipment(folder, self._client, system_clock, self._tell)
        self._said: dict[str, tuple[float, str]] = {}
        self._trouble: str | None = None
        self._progress_at = time.monotonic()

    @property
    def counts(self) -> Counts:
        """What became of the events so far."""
        return self._shipment.counts

    def run(self, *, once: bool, give_up_seconds: float = GIVE_UP_SECONDS) -> Left:
        """Ship until `stop` is set and then for at most 5 s more; with `once` until all that can be read is sent.

        `once` gives up when the service could not be reached for `give_up_seconds`.

        Raises:
            PermanentError: not before a person mends something.
            ConfigError: another process began to read this spool.
            OSError: the folder cannot be read.

        """
        attempts, failing_since, ends = 0, 0.0, float("inf")
        while time.monotonic() < ends:
            if self.stop.is_set() and ends == float("inf"):
                ends = time.monotonic() + LAST_SECONDS
            self._check()
            try:
                more = self._shipment.step(self._source.heads())
            except RetryableError as error:
                attempts += 1
                failing_since = time.monotonic() if attempts == 1 else failing_since
                self._fail(str(error))
                wait = delay_seconds(attempts, random.random(), error.retry_after_seconds)  # noqa: S311 - jitter
                if once and time.monotonic() + wait - failing_since > give_up_seconds:
                    break
                self._wait(wait, ends)
                continue
            attempts = 0
            self._succeed()
            if not more:
                if once or self.stop.is_set():
                    break
                self._wait(POLL_SECONDS, ends)
        return Left(self._shipment.lag_bytes(self._source.all()), self._source.busy, self._trouble)

    def close(self) -> None:
        """Release the connection, the locks and the claim; idempotent."""
        self._client.close()
        self._source.close()
        self._claim.release()

    def _check(self) -> None:
        if not self._claim.hold():
            raise ConfigError(f"{self._folder}: a daemon, or another quantum-mlops ship, reads this spool already")

    def _wait(self, seconds: float, ends: float) -> None:
        """Sleep, at most until `stop`; when that is set already, until the end at most."""
        if self.stop.is_set():
            time.sleep(max(0.0, min(seconds, ends - time.monotonic())))
        else:
            self.stop.wait(seconds)

    def _fail(self, reason: str) -> None:
        if self._trouble is None:
            self._tell("trouble", f"{self._client.address} {reason}; trying again")
        self._trouble = reason

    def _succeed(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._tell("again", f"{self._client.address} takes events again")
        counts = self.counts
        if counts.acknowledged and time.monotonic() - self._progress_at > PROGRESS_SECONDS:
            self._progress_at = time.monotonic()
            left = self._shipment.lag_bytes(self._source.all())
            self._tell("progress", f"{counts.acknowledged} events sent, {left / 1024:.0f} KiB to go")

    def _tell(self, topic: str, text: str) -> None:
        """Say a topic at most every 5 s, and nothing of it twice in a row."""
        now = time.monotonic()
        at, last = self._said.get(topic, (float("-inf"), ""))
        if now - at >= PROGRESS_SECONDS and text != last and (topic in self._said or len(self._said) < MOST_TOPICS):
            self._said[topic] = (now, text)
            self._say(text)
