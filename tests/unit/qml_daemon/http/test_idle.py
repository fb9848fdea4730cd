"""A connection that sends no request gives its place back; one that sends some now and then keeps it."""

import select
import socket
import time

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer

PART = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Never"
WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def server():
    found = HttpServer(build_app([Route("/", lambda _: PlainTextResponse("here"))]), Address("127.0.0.1", 0), 1.0)
    found.start()
    yield found
    assert found.close()


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port), timeout=10)


@pytest.mark.parametrize("before", [b"", PART, WHOLE + PART], ids=["nothing", "half a head", "half a second head"])
def test_who_sends_no_whole_head_is_hung_up_on(server: HttpServer, before: bytes) -> None:
    with connect(server) as line:
        line.sendall(before)
        begun = time.monotonic()
        while line.recv(4096):
            pass  # the answer to a whole one; the end comes as nothing
        assert 0.5 < time.monotonic() - begun < 8.0


def test_who_asks_now_and_then_is_not(server: HttpServer) -> None:
    with connect(server) as line:
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            line.sendall(WHOLE)
            answer = b""
            while not answer.endswith(b"here"):
                part = line.recv(4096)
                assert part, "hung up on"
                answer += part
            assert not select.select([line], [], [], 0.5)[0], "nothing comes between the requests, the end neither"
