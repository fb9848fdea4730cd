"""What no well-behaved broker does: a server that speaks single packets of MQTT 5, as it is told."""

import contextlib
import socket
import struct
import threading

import pytest

from quantum_mlops.config.mqtt_address import parse_mqtt_address
from quantum_mlops.errors import PermanentError, RetryableError
from quantum_mlops.shipping.mqtt import session
from quantum_mlops.shipping.mqtt.client import MqttClient

WELCOME = b"\x20\x03\x00\x00\x00"
EVENTS = [b'{"project":"iris","id":"%d"}' % number for number in range(10)]


def refusal(code):
    return bytes([0x20, 3, 0, code, 0])


class Server:
    """Answers CONNECT with `welcome`, each PUBLISH by `answer(packet id)`; remembers how many were unanswered at most."""

    def __init__(self, welcome, answer=lambda number: struct.pack("!BBHBB", 0x40, 4, number, 0, 0), hold=0):
        self.welcome = welcome
        self.answer = answer
        self.hold = hold
        self.most = 0
        self.payloads = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError, EOFError):
                    self._talk(connection)

    def _talk(self, connection):
        waiting = []
        while True:
            kind, body = self._read(connection)
            if kind == 0x10:
                if self.welcome is None:
                    continue  # says nothing
                connection.sendall(self.welcome)
            elif kind & 0xF0 == 0x30:
                length = struct.unpack("!H", body[:2])[0]
                waiting.append(struct.unpack("!H", body[2 + length : 4 + length])[0])
                self.payloads.append(body[body.index(b"{") :])
                self.most = max(self.most, len(waiting))
                if len(waiting) >= self.hold:
                    for number in waiting:
                        connection.sendall(self.answer(number))
                    waiting.clear()

    def _read(self, connection):
        kind = self._exactly(connection, 1)[0]
        length, shift = 0, 0
        while True:
            byte = self._exactly(connection, 1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return kind, self._exactly(connection, length)

    def _exactly(self, connection, size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def close(self):
        self._listener.close()


@pytest.fixture
def serve():
    made = []

    def serve(*args, **more):
        made.append(Server(*args, **more))
        client = MqttClient(parse_mqtt_address(made[-1].url), {})
        made.append(client)
        return made[-2], client

    yield serve
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("welcome", "kind", "said"),
    [
        (b"\x20\x02\x00\x01", PermanentError, "speaks no MQTT 5"),
        (refusal(0x84), PermanentError, "speaks no MQTT 5"),
        (refusal(0x86), PermanentError, "refuses the user or the password"),
        (refusal(0x88), RetryableError, "refuses or ended the connection \\(reason code 0x88\\)"),
        (refusal(0x9D), PermanentError, "says that it has moved"),
        (b"\xf0\x00", RetryableError, "gave no answer|closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", RetryableError, "gave no answer|closed the connection"),
    ],
)
def test_a_refusal_is_judged_by_its_code(serve, monkeypatch, welcome, kind, said):
    monkeypatch.setattr(session, "CONNECT_SECONDS", 0.3 if "no answer" in said else 20)
    _, client = serve(welcome)
    with pytest.raises(kind, match=said):
        client.post(EVENTS)


def test_a_server_that_says_nothing_is_given_up_in_time(serve, monkeypatch):
    monkeypatch.setattr(session, "CONNECT_SECONDS", 0.3)
    _, client = serve(None)
    with pytest.raises(RetryableError, match="gave no answer in time"):
        client.post(EVENTS)


def test_no_more_is_under_way_than_the_broker_takes(serve):
    receive_maximum = b"\x20\x06\x00\x00\x03\x21\x00\x03"
    server, client = serve(receive_maximum, hold=3)
    assert client.post(EVENTS[:9]) == []
    assert server.most == 3
    assert server.payloads == EVENTS[:9]


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (0x10, RetryableError, "has nobody who receives"),
        (0x80, RetryableError, "reason code 0x80"),
        (0x87, PermanentError, "lets this user not write"),
        (0x97, RetryableError, "reason code 0x97"),
    ],
)
def test_an_answer_that_is_no_acknowledgement_keeps_its_event_only(serve, code, kind, said):
    codes = [0, code, 0]
    server, client = serve(
        WELCOME, lambda number: struct.pack("!BBHBB", 0x40, 4, number, codes.pop(0) if codes else 0, 0)
    )
    with pytest.raises(kind, match=said):
        client.post(EVENTS[:3])
    assert client.post(EVENTS[:3]) == []
    assert server.payloads == [*EVENTS[:3], EVENTS[1]]


def test_a_message_that_the_broker_will_never_take_is_rejected_alone(serve):
    codes = [0, 0x99, 0x95]
    _, client = serve(WELCOME, lambda number: struct.pack("!BBHBB", 0x40, 4, number, codes.pop(0), 0))
    assert [one.index for one in client.post(EVENTS[:3])] == [1, 2]


def test_a_connection_that_ends_in_the_middle_is_one_more_try_and_then_an_error(serve):
    server, client = serve(WELCOME, lambda number: b"\xe0\x02\x8e\x00")
    with pytest.raises(RetryableError, match="another client of this name"):
        client.post(EVENTS[:1])
    assert len(server.payloads) == 1


def test_acknowledgements_that_do_not_come_are_an_error_in_time(serve, monkeypatch):
    monkeypatch.setattr(session, "ANSWER_SECONDS", 0.2)
    _, client = serve(WELCOME, lambda number: b"")
    with pytest.raises(RetryableError, match="gave no answer in time"):
        client.post(EVENTS[:2])
