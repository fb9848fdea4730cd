"""Changes of silences, from other threads: recorded in the log, then put in force by the main loop."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Literal

from qml_daemon.dispatch.silences import Silences, StoredSilence
from qml_daemon.ingest.inbox import Inbox
from quantum_mlops.clock import SECOND, Clock
from quantum_mlops.events import Event, Silence, type_name

SOURCE = "urn:quantum-mlops:silences"
Change = Literal["created", "expired"]


class SilenceKeeper:
    """Puts silences in force. Safe from any thread but the main loop's, which does the work.

    The log's record is written first. Where the process ends between the two, the silence is not in force, and
    whoever asked was told nothing: asking again with the same id is right.
    """

    def __init__(self, inbox: Inbox, silences: Silences, clock: Clock) -> None:
        self._inbox = inbox
        self._silences = silences
        self._clock = clock

    def list(self) -> list[StoredSilence]:
        """Return all silences, ended ones of the last days included."""
        return self._silences.list()

    def get(self, silence_id: str) -> StoredSilence | None:
        """Return one silence."""
        return self._silences.get(silence_id)

    def put(self, silence: StoredSilence, change: Change, project: str | None) -> Awaitable[None]:
        """Record the change and put it in force.

        Raises:
            InboxFullError, InboxClosedError: not taken; try again later.
            LogError, ValueError: it could not be stored.

        """
        now = self._clock()
        done: Future[None] = Future()
        event = _event(silence, change, project or "", now)
        self._inbox.submit([event], self._settle(done, silence, now))
        return asyncio.wrap_future(done)

    def _settle(self, done: "Future[None]", silence: StoredSilence, now: int) -> Callable[[Exception | None], None]:
        def told(error: Exception | None) -> None:
            if error is None:
                try:
                    self._silences.put(silence, now)
                except Exception as reason:  # noqa: BLE001 - handed to whoever asked, in the other thread
                    error = reason
            if done.cancelled():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        return told


def _event(silence: StoredSilence, change: Change, project: str, now: int) -> Event:
    return Event(
        id=f"{silence.id}/{change}/{now}",
        source=SOURCE,
        type=type_name(f"silence.{change}"),
        time=now,
        partitionkey=project,
        project=project,
        data=Silence(
            silence_id=silence.id,
            matchers=silence.matchers,
            starts=_moment(silence.starts),
            ends=_moment(silence.ends),
            created_by=silence.created_by,
            comment=silence.comment,
        ),
    )


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // SECOND, UTC)
