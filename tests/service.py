"""A service on the loopback that answers POST /api/v1/events as the daemon does, and can be told to fail.

Loaded as a pytest plugin by tests/conftest.py, which makes its fixtures known everywhere.
"""

import gzip
import json
import socket
import threading
import time
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quantum_mlops.codec import decode


class Answer:
    """One planned answer: nothing is stored."""

    def __init__(self, status, detail="", headers=None, kind="application/problem+json", body=None):
        self.status = status
        self.headers = headers or {}
        self.kind = kind
        self.body = json.dumps({"title": "x", "detail": detail}).encode() if body is None else body


CUT_BEFORE, CUT_AFTER, STORE = "cut before", "cut after", "store"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        service = self.server.service
        body = self.rfile.read(int(self.headers["Content-Length"]))
        service.requests.append((self.path, dict(self.headers)))
        plan = service.plan.popleft() if service.plan else service.otherwise
        if isinstance(plan, Answer):
            self._answer(plan)
            return
        if plan == CUT_BEFORE:
            self._cut()
            return
        raw = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        if len(raw) > service.max_bytes:
            self._answer(Answer(413, "too large"))
            return
        if service.token is not None and self.headers.get("Authorization") != f"Bearer {service.token}":
            self._answer(Answer(401, "no such token"))
            return
        accepted, rejected = service.store(json.loads(raw))
        if plan == CUT_AFTER:
            self._cut()
            return
        answer = json.dumps({"accepted": accepted, "rejected": rejected}).encode()
        self._answer(Answer(202 if accepted or not rejected else 422, kind="application/json", body=answer) if accepted or not rejected
                     else Answer(422, body=json.dumps({"detail": "none", "accepted": 0, "rejected": rejected}).encode()))  # fmt: skip

    def _answer(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # the client was killed


class Service:
    """`plan` is what to do with the next requests, `otherwise` with all after them; `refuse` decides on one event."""

    def __init__(self):
        self.events = {}
        self.copies = Counter()
        self.batches = []
        self.requests = []
        self.plan = deque()
        self.otherwise = STORE
        self.token = None
        self.max_bytes = 4 * 1024 * 1024
        self.refuse = lambda event: None
        self._server = None
        self.port = 0
        self.start()

    def start(self):
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.service = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def store(self, batch):
        rejected = []
        self.batches.append(len(batch))
        for index, one in enumerate(batch):
            event = decode(json.dumps(one).encode())
            reason = self.refuse(event)
            if reason is not None:
                rejected.append({"index": index, "id": event.id, "code": "malformed", "reason": reason})
                continue
            self.events[event.key] = event
            self.copies[event.key] += 1
        return len(batch) - len(rejected), rejected

    def values(self, name):
        """Return the values of one metric, in the order of the events' numbers."""
        found = [event for event in self.events.values() if name in getattr(event.data, "values", {})]
        return [event.data.values[name] for event in sorted(found, key=lambda event: (event.source, event.id))]


@pytest.fixture
def service():
    service = Service()
    yield service
    service.stop()


@pytest.fixture
def wait_for():
    """Return once a condition holds; fails after 20 s."""

    def wait(condition, seconds=20.0):
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, "it never came to be"
            time.sleep(0.01)

    return wait
