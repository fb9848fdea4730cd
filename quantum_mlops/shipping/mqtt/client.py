"""Sends batches of events to an MQTT broker: the same face as the HTTP client, one message an event.

Not thread-safe. aiomqtt is loaded at the first post, in the thread that ships. `abandon` is for a forked child: it
lets go of the parent's connection without a word on the wire.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from quantum_mlops.config.mqtt_address import MqttAddress, topic_of
from quantum_mlops.errors import MissingExtraError, PermanentError, RetryableError
from quantum_mlops.shipping.answer import Rejected
from quantum_mlops.shipping.mqtt.access import Access
from quantum_mlops.shipping.mqtt.loading import load
from quantum_mlops.shipping.mqtt.name import ClientName

if TYPE_CHECKING:
    from quantum_mlops.shipping.loop import OwnLoop
    from quantum_mlops.shipping.mqtt.session import Limits, Session

EXPIRY_SECONDS = 3600
_NOBODYS = "default"
"""The project of an event that names none, as everywhere."""


class _Owned(Struct):
    project: str = ""


class _Connection(Struct, frozen=True):
    loop: "OwnLoop"
    session: "Session"


class _EndedError(RetryableError):
    """The connection ended while it was waited for an answer."""


_read_owned = msgspec.json.Decoder(_Owned).decode


class MqttClient:
    """One broker. Connects at the first post; blocks 20 s to connect and 30 s for an answer.

    `environ` is read at each connection, and so are the files of secrets: they may be replaced while a program
    runs. `folder` is the spool, whose clients have names of their own.
    """

    def __init__(self, address: MqttAddress, environ: Mapping[str, str], folder: Path | None = None) -> None:
        self.address = address
        self._environ = environ
        self._name = ClientName(folder)
        self._connection: _Connection | None = None
        self._settled: dict[bytes, str | None] = {}  # of a batch under way: acknowledged, or why it never will be

    def post(self, events: list[bytes]) -> list[Rejected]:
        """Send the JSON of events, each as one message; return those never taken, all others are acknowledged.

        Raises:
            RetryableError: not reachable, or not all acknowledged; what was is not sent again.
            PermanentError: not before a person mends something.

        """
        while True:
            fresh, settled = self._connection is None, len(self._settled)
            try:
                self._send(events)
            except _EndedError:
                # Once more, if it was closed while it was idle, or at a message that is settled now: mosquitto 2.0
                # answers one that it refuses, closes the connection, and has not looked at those after it.
                if fresh and len(self._settled) == settled:
                    raise
            else:
                break
        reasons = [self._settled[event] for event in events]
        self._settled.clear()
        return [Rejected(index, reason=reason) for index, reason in enumerate(reasons) if reason is not None]

    def check(self) -> "Limits":
        """Connect, and return what the broker takes; sends nothing.

        Raises:
            RetryableError: not reachable.
            PermanentError: not before a person mends something.

        """
        return (self._connection or self._connect()).session.limits

    def close(self) -> None:
        """Close the connection, in 2 s at most; idempotent."""
        self._drop()
        self._name.release()

    def abandon(self) -> None:
        """Release the connection's file in a forked child, so that nothing is said on the parent's wire."""
        connection, self._connection = self._connection, None
        self._name.abandon()
        if connection is not None:
            connection.loop.abandon()

    def _send(self, events: list[bytes]) -> None:
        connection = self._connection or self._connect()
        from quantum_mlops.shipping.mqtt.answer import is_delivered, judge, judge_code, rejection_of  # noqa: PLC0415
        from quantum_mlops.shipping.mqtt.session import packet_bytes  # noqa: PLC0415 - loaded

        most = connection.session.limits.maximum_packet_bytes
        messages: list[tuple[str, bytes]] = []
        for event in events:
            if event in self._settled:
                continue
            topic = topic_of(_read_owned(event).project or _NOBODYS)
            if most is not None and packet_bytes(topic, event) > most:
                self._settled[event] = f"{len(event)} bytes, more than the broker takes ({most})"
            else:
                messages.append((topic, event))
        codes = connection.loop.run(connection.session.send(messages))
        failed: list[tuple[int, str]] = []
        for (topic, event), code in zip(messages, codes, strict=True):
            if is_delivered(code):
                self._settled[event] = None
            elif code is not None and (reason := rejection_of(code)) is not None:
                self._settled[event] = reason
            elif code is not None:
                failed.append((code, topic))
        if failed:
            raise judge_code(*failed[0])
        if None in codes:
            fault, ended = judge(connection.session.why()), connection.session.has_ended()
            self._drop()
            raise _EndedError(str(fault)) if ended and isinstance(fault, RetryableError) else fault

    def _connect(self) -> _Connection:
        try:
            load()
        except ModuleNotFoundError as error:
            if error.name not in ("aiomqtt", "paho"):
                raise
            missing = MissingExtraError("sending to an MQTT broker", "mqtt")
            raise PermanentError(f"cannot be reached from here: {missing}") from None
        from quantum_mlops.shipping.loop import OwnLoop  # noqa: PLC0415 - loaded
        from quantum_mlops.shipping.mqtt.answer import judge  # noqa: PLC0415 - loaded

        loop = OwnLoop()
        try:
            session = loop.run(self._open())
        except Exception as error:  # noqa: BLE001 - judged: what is unknown is tried again
            loop.close()
            raise judge(error) from None
        self._connection = _Connection(loop, session)
        return self._connection

    async def _open(self) -> "Session":
        from quantum_mlops.shipping.mqtt.session import Session, Terms  # noqa: PLC0415 - loaded

        client_id = self._name.take()
        expiry = EXPIRY_SECONDS if self._name.is_stable else 0
        session = Session(
            self.address, Access.from_environ(self._environ), Terms(client_id=client_id, expiry_seconds=expiry)
        )
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        return session

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.loop.run(connection.session.close())
            finally:
                connection.loop.close()
