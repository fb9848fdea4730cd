"""One connection to an MQTT 5 broker: the only door to aiomqtt, and what it leaves out.

aiomqtt takes a message for delivered whatever the broker's reason code says, acknowledges what comes in before
anybody has it, and drops the reason why a connection could not be made. Here reason codes are returned, incoming
messages are acknowledged by `acknowledge`, and errors keep their type.

Source: MQTT Version 5.0 (OASIS), sections 3.1.2.11, 3.2.2.3, 3.4.2, 4.9.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Any

import aiomqtt
from aiomqtt import Message
from msgspec import Struct
from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from quantum_mlops.codec import CONTENT_TYPE
from quantum_mlops.config.mqtt_address import MqttAddress
from quantum_mlops.shipping.mqtt.access import Access

CONNECT_SECONDS, ANSWER_SECONDS, CLOSE_SECONDS = 10.0, 30.0, 1.0
KEEPALIVE_SECONDS = 60
MOST_UNDER_WAY = 1000
__all__ = ["Limits", "Message", "RefusedError", "Session", "Terms", "packet_bytes"]
FAILURE = 0x80
"""Reason codes from here on are failures."""
_NUMBER_BYTES = 2
_NONE_BUT_NEW = 2
"""Retained messages are not sent at subscription: events are no states."""


class RefusedError(Exception):
    """The broker refused the connection, or ended it; `code` is its reason, None where it said none."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"reason code {code}")
        self.code = code


class Terms(Struct, frozen=True, kw_only=True):
    """What a client asks for. `expiry_seconds` 0 is no session beyond the connection."""

    client_id: str
    expiry_seconds: int = 0
    receive_maximum: int | None = None
    maximum_packet_bytes: int | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """What the broker takes: messages under way at once, and bytes of one packet (None: any)."""

    receive_maximum: int = 65_535
    maximum_packet_bytes: int | None = None


class Session(aiomqtt.Client):
    """Made and used inside one event loop, for one connection. `open`, then `send` or `subscribe`, then `close`."""

    def __init__(self, address: MqttAddress, access: Access, terms: Terms) -> None:
        self._tls = access.make_tls(address)
        super().__init__(
            address.host,
            address.port,
            username=access.user,
            password=access.read_password(),
            logger=_silent,
            identifier=terms.client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=CONNECT_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
            clean_start=terms.expiry_seconds == 0,
            max_inflight_messages=0,  # counted here, by what the broker takes
            properties=_ask(terms),
            tls_context=self._tls,
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )
        self._client.connect_timeout = CONNECT_SECONDS
        self._client.manual_ack_set(on=True)
        self._client._ssl_wrap_socket = self._wrap_socket  # type: ignore[assignment]  # noqa: SLF001 - see there
        self._close_socket = self._client._sock_close  # noqa: SLF001
        self._client._sock_close = self._read_and_close  # type: ignore[method-assign]  # noqa: SLF001 - see there
        self._client._handle_pubackcomp = self._take_answer  # type: ignore[method-assign, assignment]  # noqa: SLF001 - see there
        self.limits = Limits()
        self.dropped = 0
        """Messages sent without acknowledgement (QoS 0) that found no room here."""
        self.is_resumed = False
        """Whether the broker knew this client and kept what came for it."""
        self._is_reading = False
        self._fault: Exception | None = None
        self._told: int | None = None
        self._answers: dict[int, int] = {}
        self._turned: asyncio.Future[None] = self._loop.create_future()

    async def open(self) -> None:
        """Connect, in 20 s at most.

        Raises:
            RefusedError: by the broker. OSError, ValueError: not reachable, or no TLS. TimeoutError: no answer.

        """
        try:
            await self.__aenter__()
        except aiomqtt.exceptions.MqttConnectError as error:
            raise RefusedError(error.rc.value if isinstance(error.rc, ReasonCode) else error.rc) from None
        except aiomqtt.MqttError:
            raise self._fault or TimeoutError() from None
        self._disconnected.add_done_callback(lambda _: self._turn())

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """Publish (topic, payload) with QoS 1, in order; return the broker's reason codes, None where it gave none.

        Returns when all are answered, the connection ended, or nothing was answered for 30 s.
        """
        codes: list[int | None] = [None] * len(messages)
        waiting = deque(enumerate(messages))
        under_way: dict[int, int] = {}
        window = min(self.limits.receive_maximum, MOST_UNDER_WAY)
        self._answers.clear()
        while (waiting or under_way) and not self._disconnected.done():
            while waiting and len(under_way) < window:
                index, (topic, payload) = waiting.popleft()
                sent = self._client.publish(topic, payload, 1, properties=_HEADERS)
                if sent.rc != paho.MQTT_ERR_SUCCESS:
                    self._fault = RefusedError(None)
                    return codes
                under_way[sent.mid] = index
            if not self._answers and not await self._wait():
                break
            for mid, code in self._answers.items():
                if mid in under_way:
                    codes[under_way.pop(mid)] = code
            self._answers.clear()
        return codes

    async def follow(self, topics: Sequence[str]) -> None:
        """Subscribe with QoS 1.

        Raises:
            RefusedError: one of the topics is refused; TimeoutError: no answer.

        """
        options = SubscribeOptions(qos=1, retainHandling=_NONE_BUT_NEW)
        try:
            codes = await self.subscribe([(topic, options) for topic in topics])
        except aiomqtt.MqttError:
            raise self.why() from None
        for code in codes:
            value = code.value if isinstance(code, ReasonCode) else code
            if value >= FAILURE:
                raise RefusedError(value)

    async def receive(self) -> Message:
        """Wait for the next message.

        Raises:
            RefusedError: the connection ended; what is not acknowledged comes again.

        """
        try:
            return await anext(self.messages)
        except aiomqtt.MqttError:
            raise self.why() from None

    def received(self) -> list[Message]:
        """Return what else has come; does not wait."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that it may forget a message of this connection."""
        if message.qos == 1:
            self._client.ack(message.mid, message.qos)

    def why(self) -> Exception:
        """Return why there is no answer."""
        if self._disconnected.done() or self._fault is not None:
            return self._fault or RefusedError(self._told)
        return TimeoutError()

    def has_ended(self) -> bool:
        """Return whether the connection is gone, as far as this loop has seen."""
        return self._disconnected.done()

    async def close(self) -> None:
        """Say goodbye where there is somebody, in a second at most; the session stays with the broker. Idempotent."""
        if self._connected.done() and self._connected.exception() is None and not self._disconnected.done():
            with contextlib.suppress(aiomqtt.MqttError, TimeoutError, OSError):  # nobody waits for an answer
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.__aexit__(None, None, None)
        self._client._reset_sockets()  # noqa: SLF001 - paho closes its socket in its destructor only

    async def _wait(self) -> bool:
        """Wait for an answer or the end; False where neither came in time."""
        self._turned = self._loop.create_future()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._turned
        except TimeoutError:
            return False
        return True

    def _turn(self) -> None:
        if not self._turned.done():
            self._turned.set_result(None)

    def _wrap_socket(self, plain: socket.socket) -> ssl.SSLSocket:
        """Do what paho does, and close the socket where there is no TLS to be had."""
        assert self._tls is not None  # noqa: S101 - for the type checker
        secured = plain
        try:
            secured = self._tls.wrap_socket(plain, server_hostname=self._hostname, do_handshake_on_connect=False)
            secured.settimeout(CONNECT_SECONDS)
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured

    def _read_and_close(self) -> None:
        """Close the socket, but first read what has come.

        Where a broker dies paho learns it by writing, and would drop messages that are here and no more there.
        """
        client = self._client
        if client._sock is not None and not self._is_reading:  # noqa: SLF001
            self._is_reading = True
            try:
                while client._sock is not None and client._packet_read() == paho.MQTT_ERR_SUCCESS:  # noqa: SLF001
                    pass
            except (OSError, ValueError):  # TLS that is broken off
                self._fault = self._fault or RefusedError(None)
            finally:
                self._is_reading = False
        self._close_socket()

    def _client_connect(self) -> None:
        try:
            super()._client_connect()
        except (OSError, ValueError) as error:  # ValueError: a host's name that IDNA refuses
            self._fault = error
            raise OSError(str(error)) from None

    def _on_connect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.is_resumed = flags.session_present
        self.limits = Limits(
            receive_maximum=getattr(properties, "ReceiveMaximum", 65_535),
            maximum_packet_bytes=getattr(properties, "MaximumPacketSize", None),
        )
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: Any,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._told = reason_code.value or None
        if not self._connected.done():  # aiomqtt would wait for its timeout
            self._fault = RefusedError(self._told)
            self._connected.set_exception(aiomqtt.MqttError())
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_message(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        if message.qos == 0 and self._queue.qsize() >= MOST_UNDER_WAY:  # no acknowledgement holds its sender back
            self.dropped += 1
            return
        super()._on_message(client, userdata, message)

    def _take_answer(self, kind: str) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Take a PUBACK: paho would end the connection at a code that MQTT does not foresee there, as mosquitto's 0x95.

        Source: MQTT 5.0, section 3.4.2.
        """
        packet = self._client._in_packet["packet"]  # noqa: SLF001
        number = int.from_bytes(packet[:2], "big")
        with self._client._out_message_mutex:  # noqa: SLF001
            self._client._out_messages.pop(number, None)  # noqa: SLF001
        self._answers[number] = packet[2] if len(packet) > _NUMBER_BYTES else 0
        self._turn()
        return paho.MQTT_ERR_SUCCESS


def packet_bytes(topic: str, payload: bytes) -> int:
    """Return the size of the packet that `send` makes of a message.

    Source: MQTT 5.0, section 2.1.4 (variable byte integer) and 3.3.
    """
    rest = 2 + len(topic.encode()) + 2 + _HEADERS_BYTES + len(payload)
    return 1 + max(1, (rest.bit_length() + 6) // 7) + rest


def _ask(terms: Terms) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    if terms.expiry_seconds:
        properties.SessionExpiryInterval = terms.expiry_seconds
    if terms.receive_maximum is not None:
        properties.ReceiveMaximum = terms.receive_maximum
    if terms.maximum_packet_bytes is not None:
        properties.MaximumPacketSize = terms.maximum_packet_bytes
    return properties


def _headers() -> Properties:
    """Return the properties of each message. Source: CloudEvents MQTT protocol binding 1.0.2, section 3.2."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
    properties.PayloadFormatIndicator = 1
    properties.ContentType = CONTENT_TYPE
    return properties


_HEADERS = _headers()
_HEADERS_BYTES = len(_HEADERS.pack())  # type: ignore[no-untyped-call]  # paho's
_silent = logging.getLogger("quantum_mlops.mqtt.wire")  # each error is raised
_silent.addFilter(lambda record: False)  # noqa: ARG005 - also where a host's set-up of logging enables all loggers
_silent.setLevel(logging.CRITICAL + 1)
