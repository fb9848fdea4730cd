"""Takes events from an MQTT broker to the log: a message is acknowledged after the log has it.

A thread with an event loop of its own; the main loop writes the log, through the inbox. What is not acknowledged
the broker sends again, to this daemon's session, which it keeps while the daemon is away. What comes twice the
runner drops. `receive_maximum` bounds what is under way: a log that stands still holds the broker back.
"""

import asyncio
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from qml_daemon.ingest.inbox import Inbox, InboxClosedError, InboxFullError
from qml_daemon.intake.sieve import REFUSALS
from qml_daemon.mqtt.parcel import Incoming, Parcel, open_again, open_messages
from qml_daemon.mqtt.stats import MqttStats
from quantum_mlops.clock import SECOND, Clock
from quantum_mlops.config.duration import parse_duration
from quantum_mlops.config.mqtt_address import parse_mqtt_address
from quantum_mlops.config.sections import MqttSection
from quantum_mlops.errors import DeliveryError, LogError, RetryableError
from quantum_mlops.shipping.backoff import delay_seconds
from quantum_mlops.shipping.loop import OwnLoop
from quantum_mlops.shipping.mqtt.access import Access
from quantum_mlops.shipping.mqtt.answer import TAKEN_OVER, judge
from quantum_mlops.shipping.mqtt.session import Message, RefusedError, Session, Terms

MAX_PACKET_BYTES = 128 * 1024
"""Larger messages a broker keeps to itself; an event has 64 KiB at most."""
FULL_SECONDS, RETRY_SECONDS = 0.1, 1.0
STEADY_SECONDS = 60.0
"""A connection that ends before is one more failure: two daemons of one name do not throw each other out all day."""
STOP_SECONDS = 2.0

_logger = logging.getLogger("quantum_mlops.mqtt")
T = TypeVar("T")


class _StopError(Exception):
    """The daemon ends."""


class Bridge:
    """`start` it when the inbox is open, `begin_stop`, then `close`. `stats` from any thread."""

    def __init__(
        self, section: MqttSection, inbox: Inbox, clock: Clock, chance: Callable[[], float] = random.random
    ) -> None:
        self._section = section
        self._address = parse_mqtt_address(section.url, "mqtt.url")
        self._access = Access.from_section(section)
        self._terms = Terms(
            client_id=section.client_id,
            expiry_seconds=parse_duration(section.session_expiry) // SECOND,
            receive_maximum=section.receive_maximum,
            maximum_packet_bytes=MAX_PACKET_BYTES,
        )
        self._inbox = inbox
        self._clock = clock
        self._chance = chance
        self._fault: str | None = "not connected yet"
        self._told: str | None = None
        self._connections = self._sessions_lost = self._messages = self._events = self._dropped = self._waiting = 0
        self._rejected: Counter[str] = Counter()
        self._session: Session | None = None
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect from now on, in a thread; does not wait for the broker."""
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        """Whether messages are being taken to the log."""
        return self._thread.is_alive() and self._fault is None

    def begin_stop(self) -> None:
        """Receive no more, let what is under way to the log be acknowledged; does not block. Idempotent."""
        self._stopping.set()
        loop, stopped = self._loop, self._stopped
        if loop is not None and stopped is not None:
            try:
                loop.call_soon_threadsafe(stopped.set)
            except RuntimeError:  # the loop is closed: the thread has ended already
                return

    def close(self, timeout_seconds: float = STOP_SECONDS) -> bool:
        """Stop and wait for the thread; False where it did not end in time, as while it connects. Idempotent."""
        self.begin_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def stats(self) -> MqttStats:
        """Return counts since the start."""
        return MqttStats(
            url=str(self._address),
            connected=self._fault is None,
            fault=self._fault,
            connections=self._connections,
            sessions_lost=self._sessions_lost,
            messages=self._messages,
            events=self._events,
            rejected=dict(self._rejected),
            dropped=self._dropped + (0 if self._session is None else self._session.dropped),
            waiting=self._waiting,
        )

    def _run(self) -> None:
        loop = OwnLoop()
        try:
            loop.run(self._work())
        except Exception as error:  # the boundary of a thread: nobody else would hear of it
            self._fault = f"the bridge ended: {type(error).__name__}: {error}"
            _logger.exception("the bridge to %s ended", self._address)
        finally:
            loop.close()

    async def _work(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        attempts = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._serve()
            except _StopError:
                return
            except Exception as error:  # noqa: BLE001 - judged, told once and tried again, whatever it is
                fault = self._judge(error)
            attempts = 1 if time.monotonic() - began > STEADY_SECONDS else attempts + 1
            self._report(fault)
            try:
                await self._unless_stopped(asyncio.sleep(delay_seconds(attempts, self._chance())))
            except _StopError:
                return

    async def _serve(self) -> None:
        """Take messages over one connection until it ends.

        Raises:
            _StopError: the daemon ends. Others: as `Session` says.

        """
        session = self._session = Session(self._address, self._access, self._terms)
        try:
            await self._unless_stopped(session.open())
            await self._unless_stopped(session.follow(self._section.topics))
            self._welcome(is_resumed=session.is_resumed)
            while True:
                first = await self._unless_stopped(session.receive())
                await self._take(session, [first, *session.received()])
        except RefusedError:
            await session.close()
            if left := session.received():  # here, and perhaps no more there: a broker that was killed may forget
                await self._take(session, left)
            raise
        finally:
            self._waiting = 0
            await session.close()
            self._session = None
            self._dropped += session.dropped

    async def _take(self, session: Session, messages: Sequence[Message]) -> None:
        """Bring messages to the log, and then say so."""
        await self._store([Incoming(one.topic.value, _bytes(one.payload)) for one in messages])
        for one in messages:
            session.acknowledge(one)

    def _welcome(self, *, is_resumed: bool) -> None:
        if self._connections and not is_resumed:
            self._sessions_lost += 1
            _logger.warning("%s has forgotten this daemon: what it kept meanwhile is gone", self._address)
        self._connections += 1
        self._fault = None
        _logger.info("events come from %s", self._address)

    def _judge(self, error: Exception) -> DeliveryError:
        if self._fault is None and isinstance(error, RefusedError) and error.code in (None, TAKEN_OVER):
            # Mosquitto 2.0 tells the one that it throws out nothing at all.
            return RetryableError(
                "closed the connection; where that stays so another client has the same name: "
                f"give each its own mqtt.client_id, here it is {self._terms.client_id}"
            )
        return judge(error, self._access.names)

    def _report(self, fault: DeliveryError) -> None:
        self._fault = str(fault)
        if self._fault != self._told:
            self._told = self._fault
            _logger.warning("%s %s; trying again", self._address, fault)

    async def _store(self, messages: Sequence[Incoming]) -> None:
        """Wait until the log has the messages, as events or dead letters; tries again while it cannot."""
        self._messages += len(messages)
        self._waiting = len(messages)
        parcel = open_messages(messages, self._clock())
        while not await self._append(parcel):
            parcel = open_again(messages, self._clock())
        self._events += len(parcel.events)
        self._rejected.update(parcel.rejected)
        self._waiting = 0

    async def _append(self, parcel: Parcel) -> bool:
        """Return whether the log took it; False: it refuses an event."""
        while True:
            try:
                await self._inbox.append(parcel.events, parcel.size_bytes, parcel.letters)
            except InboxClosedError:
                raise _StopError from None
            except InboxFullError:
                wait = FULL_SECONDS
            except LogError:  # the main loop says so; stored or not, once more is right
                wait = RETRY_SECONDS
            except REFUSALS:
                return False
            else:
                return True
            await self._unless_stopped(asyncio.sleep(wait))

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._stopped is not None  # noqa: S101 - for the type checker
        working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _StopError
        finally:
            working.cancel()
            stopping.cancel()


def _bytes(payload: object) -> bytes:
    return bytes(payload) if isinstance(payload, (bytes, bytearray)) else b""
