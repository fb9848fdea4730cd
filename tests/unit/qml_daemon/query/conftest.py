"""A served app over real views of a real log."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.alert import Alert
from qml_daemon.follow import Follower
from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import Token, TokenFile, hash_secret, write_tokens
from qml_daemon.query import routes, stream
from qml_daemon.query.feed import Feed
from qml_daemon.query.lists import Sources
from qml_daemon.query.watch import AlertWatch
from qml_daemon.views.upkeep import Views
from quantum_mlops.clock import DAY, SECOND, ManualClock
from quantum_mlops.events import Context, Event, FindingChanged, type_name
from quantum_mlops.transports.base import Commit
from quantum_mlops.transports.sqlite import SqliteLog

START = 1_800_000_000 * SECOND


class Served:
    """The app on a free port, the log behind it, and alerts as the dispatcher would hold them."""

    def __init__(self, folder: Path, tokens: TokenFile | None) -> None:
        self.clock = ManualClock(START)
        self.log = SqliteLog(folder / "store.sqlite", clock=self.clock)
        self.feed = Feed()
        self.views = Views(folder, self.log, 30 * DAY, self.feed.publish)
        self.follower = Follower(self.log, [self.views.seat])
        self.alerts: list[Alert] = []
        self.watch = AlertWatch(self.feed, lambda: list(self.alerts))
        sources = Sources(views=self.views.reader, log=self.log, alerts=lambda: list(self.alerts))
        app = build_app([*routes.routes(sources), *stream.routes(self.feed, self.watch.look)], tokens)
        self.server = HttpServer(app, Address("127.0.0.1", 0))
        self.server.start()
        self.client = httpx.Client(base_url=self.server.address.url, trust_env=False, timeout=10)
        self.number = 0

    def emit(self, short: str, data: object, project: str = "iris", **context: object) -> None:
        self.number += 1
        event = Event(
            id=f"{self.number:016x}", source="qml://host/0a/0", type=type_name(short), time=self.clock(),
            partitionkey=project, project=project, context=Context(**context), data=data,
        )  # fmt: skip
        if isinstance(data, FindingChanged):
            self.log.commit(0, Commit(findings=[event], watermark=b""))
        else:
            self.log.append([event])
        while self.follower.step():
            pass

    def get(self, path: str, secret: str | None = None, **parameters: object) -> httpx.Response:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return self.client.get(f"/api/v1/{path}", params=parameters, headers=headers)

    def close(self) -> None:
        self.client.close()
        stopped = self.server.close()
        self.views.close()
        self.log.close()
        assert stopped


class Listening:
    """Reads the stream in a thread, as (id, event, data)."""

    def __init__(self, served: Served, last_id: str | None = None, secret: str | None = None, **parameters) -> None:
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        self.client = httpx.Client(base_url=served.server.address.url, trust_env=False, timeout=10)
        self.messages: list[tuple[str, str, str]] = []
        self.begun = threading.Event()
        self.first_id = ""
        self.headers: httpx.Headers | None = None
        self.ended = threading.Event()
        self.response = self.client.send(
            self.client.build_request("GET", "/api/v1/stream", headers=headers, params=parameters), stream=True
        )
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self) -> None:
        name, event, data = "", "", ""
        try:
            for line in self.response.iter_lines():
                field, _, value = line.partition(": ")
                if field == "id":
                    name = value
                elif field == "event":
                    event = value
                elif field == "data":
                    data = value
                elif not line and event:
                    self.messages.append((name, event, data))
                    event = data = ""
                elif not line and not self.begun.is_set():
                    self.first_id = name
                    self.begun.set()
        except httpx.HTTPError:
            pass  # the test closed the line
        finally:
            self.ended.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the service closed it first
            self.response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.client.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, None)
    yield made
    made.close()


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    """With tokens: `iris-secret` reads the project iris, `all-secret` every project, `send-secret` only ingests."""
    path = tmp_path / "tokens.toml"
    known = {"iris": ("iris", ["read"]), "all": ("*", ["read"]), "send": ("iris", ["ingest"])}
    tokens = [
        Token(name=name, project=project, scopes=scopes, sha256=hash_secret(f"{name}-secret"))
        for name, (project, scopes) in known.items()
    ]
    write_tokens(path, tokens)
    made = Served(tmp_path, TokenFile(path))
    yield made
    made.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listening]]:
    made: list[Listening] = []

    def start(*args: object, **named: object) -> Listening:
        made.append(Listening(*args, **named))
        assert made[-1].begun.wait(10)
        return made[-1]

    yield start
    for one in made:
        one.close()
