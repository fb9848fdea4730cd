"""Posts are bounded, and leave nothing behind that only the cyclic collector would free."""

import gc
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from qml_daemon.notifiers.poster import Poster
from quantum_mlops.errors import RetryableError


class Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = b"ok"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.send_header("X-Said", "so")
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def poster():
    poster = Poster(5.0, 1000)
    yield poster
    poster.close()


def url(receiver):
    return f"http://127.0.0.1:{receiver.server_address[1]}/secret"


def test_an_answer_is_its_status_its_headers_and_the_beginning_of_its_body(receiver, poster):
    receiver.answer = b"x" * 5_000_000
    answer = poster.post(url(receiver), b"body", {"Content-Type": "text/plain"})
    assert (answer.status, answer.reason, answer.headers["x-said"]) == (200, "OK", "so")
    assert 1000 <= len(answer.body) < 100_000
    receiver.answer = b"ok"
    assert poster.post(url(receiver), b"again", {}).body == b"ok"


def test_fifty_messages_leave_nothing_for_the_collector(receiver, poster):
    for _ in range(3):
        poster.post(url(receiver), b"x", {})
    gc.collect()
    gc.disable()
    try:
        before = {id(one) for one in gc.get_objects()}
        for _ in range(50):
            poster.post(url(receiver), b"x", {})
        left = [one for one in gc.get_objects() if id(one) not in before and type(one).__module__.startswith("http")]
        kinds = {type(one).__qualname__ for one in left if type(one).__module__.startswith(("httpx", "httpcore"))}
        assert len(left) < 100, kinds
    finally:
        gc.enable()


def test_nobody_there_is_told_without_the_address(poster):
    with pytest.raises(RetryableError) as refused:
        poster.post("http://127.0.0.1:1/secret", b"x", {})
    assert str(refused.value) == "no connection (ConnectError)"
