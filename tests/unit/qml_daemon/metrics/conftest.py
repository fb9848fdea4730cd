"""Records by the line, and figures by name."""

import itertools
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import Token, hash_secret, write_tokens
from qml_daemon.metrics.tally import Distribution
from qml_daemon.metrics.watched import Watched
from quantum_mlops.clock import SECOND, ManualClock
from quantum_mlops.events import Context, Event, type_name
from quantum_mlops.transports.base import Record, Stream

START = 1_800_000_000 * SECOND


class Audience:
    """A consumer on a manual clock, fed event by event."""

    def __init__(self, **fields: Any) -> None:
        self.clock = ManualClock(START)
        self.watched = Watched(self.clock, fields.pop("starts", {}), **fields)
        self.offsets = itertools.count()

    def hear(
        self, short: str, data: Any, project: str = "iris", run: str | None = None, stream: Stream = Stream.EVENTS
    ):
        offset = next(self.offsets)
        event = Event(
            id=f"{offset:016x}", source="qml://host/0/0", type=type_name(short), time=self.clock(),
            partitionkey=project, project=project, context=Context(runid=run), ingestedtime=self.clock(), data=data,
        )  # fmt: skip
        self.watched.take(stream, 0, [Record(offset, event, self.clock())])

    def tell(self, name: str) -> dict[tuple[str, ...], float | Distribution]:
        return {figure.labels: figure.value for figure in self.watched.figures() if figure.name == name}


@pytest.fixture
def make_audience():
    return Audience


@pytest.fixture
def make_tokens(tmp_path):
    """Write a tokens file; return its path and the secrets, in order."""

    def make(*tokens: dict[str, Any]):
        secrets = [f"secret-of-{token['name']}-0123456789" for token in tokens]
        path = tmp_path / "tokens.toml"
        write_tokens(
            path, [Token(sha256=hash_secret(secret), **token) for token, secret in zip(tokens, secrets, strict=True)]
        )
        return path, secrets

    return make


@pytest.fixture
def serve():
    """Serve routes on a free port of this machine; return a client of them."""
    with ExitStack() as stack:

        def start(found, tokens=None) -> httpx.Client:
            server = HttpServer(build_app(found, tokens), Address("127.0.0.1", 0))
            server.start()
            stack.callback(server.close)
            return stack.enter_context(httpx.Client(base_url=server.address.url, trust_env=False, timeout=20))

        yield start
