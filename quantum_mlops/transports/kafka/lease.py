"""A lease: of all daemons of a group one may tell receivers, also where one hangs, is cut off, or is started twice.

The holder says in a transaction every three seconds that it is there. A live holder is left alone: who comes second
is refused. One that is silent for ten seconds is fenced by its successor, who opens the same transactional id; whoever
could not say that it is there for ten seconds does not act, so at no time two do. Who was heard of in the last instant
before he was fenced believes for ten seconds more that he may act: his successor lets them pass.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from quantum_mlops.errors import LogError, LogFencedError, UserError
from quantum_mlops.transports.kafka.faults import explain
from quantum_mlops.transports.kafka.loop import KafkaLoop, Scope
from quantum_mlops.transports.kafka.records import encode_row
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics

CURSOR = "daemon/lease"
PERIOD_SECONDS = 3.0
LASTS_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_TRANSACTION_MS = 10_000


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds the lease. `home` is the same for every life of a daemon on one state folder; `beat` grows."""

    home: str
    host: str
    pid: int
    beat: int


class KafkaLease:
    """Taken by `take`; the other methods from one thread. `fault` is the last error, None since the lease is kept.

    Args:
        loop: where the producer lives.
        settings: how to reach Kafka; the lease is of `group` and the topics' prefix.
        home: names the state folder; whoever has its lock knows that no other process of this home lives.
        read: returns the value of the cursor `daemon/lease`, as of now.

    """

    def __init__(self, loop: KafkaLoop, settings: KafkaSettings, home: str, read: Callable[[], bytes | None]) -> None:
        self._loop = loop
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).cursors
        self._me = Holder(home=f"{home}@{socket.gethostname()}", host=socket.gethostname(), pid=os.getpid(), beat=0)
        self._read = read
        self._held_until = 0.0
        self._mend_at: float | None = None
        self._lost: str | None = None
        self.fault: str | None = None
        self._producer: Any = None
        self._scope = Scope()
        self._task: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Take the lease; waits for up to ten seconds to see whether a holder elsewhere is alive.

        Raises:
            UserError: it is.
            LogError: Kafka cannot be reached, or refuses.

        """
        found = self._look()
        if found is not None and found.home != self._me.home:
            self._watch(found)
        self._fence()
        if self._was_overtaken(found) is not None:
            time.sleep(LASTS_SECONDS)
        self._claim()

    def is_held(self) -> bool:
        """Return whether this process may act as the only one now. Blocks where a broken connection is mended."""
        if self._mend_at is not None and self._lost is None and time.monotonic() >= self._mend_at:
            self._mend()
        return self._lost is None and time.monotonic() < self._held_until

    def check(self) -> None:
        """Do nothing while the lease is this one's to have.

        Raises:
            UserError: another daemon took it.

        """
        if self._lost is not None:
            raise UserError(self._lost)

    def close(self) -> None:
        """Give the lease back; idempotent. The loop stays."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        self._held_until, self._mend_at = 0.0, None
        try:
            self._loop.run(self._end(producer), "giving the lease back", LASTS_SECONDS)
        except LogError:  # it runs out by itself
            return

    def _watch(self, found: Holder) -> None:
        deadline = time.monotonic() + LASTS_SECONDS
        while time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            now = self._look()
            if now is None:
                return
            if now != found:
                raise UserError(
                    f"another daemon of group {self._settings.group} works on these topics (host {now.host}, pid"
                    f" {now.pid}); stop it first, or give this one other topics (kafka.topic_prefix)"
                )

    def _fence(self) -> None:
        """Open the producer: from now on nobody else can say that he is there, and all that was said is visible."""
        self._producer = self._loop.run(self._open(), "taking the lease")

    def _was_overtaken(self, found: Holder | None) -> Holder | None:
        """Return the holder that was heard of between the look that found `found` and the fencing, if one was."""
        now = self._look()
        return None if now is None or now == found or now.home == self._me.home else now

    def _claim(self) -> None:
        began = time.monotonic()
        try:
            self._loop.run(self._write(self._producer, self._me), "taking the lease")
        except LogError:
            self._let_go()
            raise
        self._held_until, self._mend_at, self.fault = began + LASTS_SECONDS, None, None
        self._task = self._loop.run(self._keep(), "keeping the lease")

    def _mend(self) -> None:
        """Take it again after an error, unless somebody else has it meanwhile."""
        try:
            found = self._look()
            if found is not None and found.home != self._me.home:
                self._lose(found)
                return
            self._let_go()
            self._fence()
            overtaker = self._was_overtaken(found)
            if overtaker is not None:
                self._lose(overtaker)
                self._let_go()
                return
            self._claim()
        except LogError as error:
            self.fault = str(error)
            self._mend_at = time.monotonic() + PERIOD_SECONDS

    def _let_go(self) -> None:
        """Stop the producer, and say nothing with it."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self._loop.run(self._drop(producer), "letting the lease go")

    def _lose(self, to: Holder | None = None) -> None:
        who = "" if to is None else f" (host {to.host}, pid {to.pid})"
        self._lost = f"another daemon{who} took over the topics of group {self._settings.group}; this one ends"

    def _look(self) -> Holder | None:
        value = self._read()
        try:
            return None if value is None else msgspec.json.decode(value, type=Holder)
        except msgspec.DecodeError:  # of a newer version: somebody is there
            return Holder(home="", host="unknown", pid=0, beat=hash(value))

    async def _open(self) -> Any:
        return await self._scope.run(self._start())

    async def _start(self) -> Any:
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415 - an extra

        producer = AIOKafkaProducer(
            **self._settings.client_arguments(),
            transactional_id=f"{self._settings.group}-{self._topic}-daemon",
            transaction_timeout_ms=_TRANSACTION_MS,
        )
        try:
            await producer.start()
        except BaseException:
            await self._drop(producer)
            raise
        return producer

    async def _keep(self) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(self._scope.run(self._renew()))

    async def _renew(self) -> None:
        producer = self._producer
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            began = time.monotonic()
            self._me = msgspec.structs.replace(self._me, beat=self._me.beat + 1)
            try:
                await asyncio.wait_for(self._write(producer, self._me), LASTS_SECONDS / 2)
            except Exception as error:  # noqa: BLE001 - all is told by `check`, or mended by `is_held`
                told = explain(error, "keeping the lease", self._settings.servers)
                if isinstance(told, LogFencedError):
                    self._lose()
                else:
                    self.fault, self._mend_at = str(told), time.monotonic()
                await self._drop(producer)
                return
            self._held_until = began + LASTS_SECONDS

    async def _write(self, producer: Any, holder: Holder | None) -> None:
        entry = encode_row(CURSOR.encode(), None if holder is None else msgspec.json.encode(holder))
        async with producer.transaction():
            await producer.send_and_wait(self._topic, entry.value, key=entry.key)

    async def _drop(self, producer: Any) -> None:
        """Stop a producer that may hang."""
        try:
            await asyncio.wait_for(producer.stop(), 1)
        except Exception:  # noqa: BLE001 - it is done with; its tasks are ended when the loop closes
            return

    async def _end(self, producer: Any) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
        try:
            if self._lost is None:
                await asyncio.wait_for(self._write(producer, None), LASTS_SECONDS / 2)
        finally:
            await self._drop(producer)
            await self._scope.cancel()
