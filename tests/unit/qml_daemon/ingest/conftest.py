"""Events as JSON, and a door that is served, with a main loop that drains its inbox."""

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import TokenFile
from qml_daemon.ingest.door import PATH, Door
from qml_daemon.ingest.inbox import Inbox
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.codec import CONTENT_TYPE
from quantum_mlops.errors import LogError
from quantum_mlops.events import Event
from quantum_mlops.transports.base import Stream
from quantum_mlops.transports.memory import MemoryLog

NOW = 1_795_176_000 * SECOND
BATCH = "application/cloudevents-batch+json"


def event_json(number: int = 1, **fields: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": f"{number}",
        "source": "curl",
        "type": "quantum_mlops.metric.logged.v1",
        "time": "2026-11-20T12:00:00Z",
        "project": "iris",
        "data": {"values": {"loss": 0.5}},
    } | fields
    return {name: value for name, value in event.items() if value is not None}


@pytest.fixture
def make_event() -> Callable[..., dict[str, Any]]:
    return event_json


class Served:
    """A door over loopback on a memory log; `fault` makes the log fail, `paused` the main loop wait."""

    def __init__(self, tokens: TokenFile | None, **limits: int) -> None:
        self.log = MemoryLog(clock=ManualClock(NOW))
        self.inbox = Inbox(**limits)
        self.inbox.open()
        self.door = Door(self.inbox, ManualClock(NOW))
        self.paused = threading.Event()
        self._end = threading.Event()
        self._loop = threading.Thread(target=self._run)
        self._loop.start()
        self.server = HttpServer(build_app(self.door.routes(), tokens), Address("127.0.0.1", 0))
        self.server.start()
        self.client = httpx.Client(base_url=self.server.address.url, trust_env=False)

    def _run(self) -> None:
        while not self._end.is_set():
            self.inbox.wait(0.01)
            if not self.paused.is_set():
                try:
                    self.inbox.drain(self.log, 500)
                except LogError:
                    continue

    def post(self, body: object, token: str | None = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = BATCH if isinstance(body, list) else CONTENT_TYPE
        said = {"content-type": kind} | {name.replace("_", "-"): text for name, text in headers.items()}
        if token is not None:
            said["authorization"] = f"Bearer {token}"
        return self.client.post(PATH, content=content, headers=said)

    def events(self) -> list[Event]:
        return [record.event for record in self.log.read(Stream.EVENTS, 0, 0, 10_000)]

    def close(self) -> None:
        self.client.close()
        assert self.server.close()
        self._end.set()
        self._loop.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    opened: list[Served] = []

    def start(tokens: TokenFile | None = None, **limits: int) -> Served:
        opened.append(Served(tokens, **limits))
        return opened[-1]

    yield start
    for served in opened:
        served.paused.clear()
        served.close()
