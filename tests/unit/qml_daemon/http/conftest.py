"""A served app on a free port, and a tokens file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.http.address import Address
from qml_daemon.http.app import build_app
from qml_daemon.http.server import HttpServer
from qml_daemon.http.token_file import Token, TokenFile, hash_secret, write_tokens


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[HttpServer, httpx.Client]]]:
    opened: list[tuple[HttpServer, httpx.Client]] = []

    def start(routes, tokens=None, external_url=None) -> tuple[HttpServer, httpx.Client]:
        server = HttpServer(build_app(routes, tokens, external_url), Address("127.0.0.1", 0))
        server.start()
        opened.append((server, httpx.Client(base_url=server.address.url, trust_env=False)))
        return opened[-1]

    yield start
    for server, client in opened:
        client.close()
        assert server.close()


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """`send` may ingest for iris, `look` read iris, `all` everything for every project."""
    path = tmp_path / "tokens.toml"
    scopes = {"send": ("iris", ["ingest"]), "look": ("iris", ["read"]), "all": ("*", ["ingest", "admin"])}
    write_tokens(
        path,
        [
            Token(name=name, project=project, scopes=allowed, sha256=hash_secret(f"{name}-secret"))
            for name, (project, allowed) in scopes.items()
        ],
    )
    return TokenFile(path)
