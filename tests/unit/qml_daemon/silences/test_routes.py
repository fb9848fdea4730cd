"""Silences over HTTP, with tokens: what a project's own may do, and what it may not do to others."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from qml_daemon.configuration import read_config
from qml_daemon.http.token_file import Token, hash_secret, write_tokens
from qml_daemon.runtime import Daemon

OWNERS = {"iris": "iris", "vqe": "vqe", "operator": "*"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("silences")
    tokens = [
        Token(name=name, project=project, scopes=["admin"], sha256=hash_secret(name))
        for name, project in OWNERS.items()
    ]
    write_tokens(folder / "tokens.toml", tokens)
    (folder / "c.toml").write_text(
        '[log]\nkind = "memory"\n[state]\ndir = "state"\n[spool]\ndir = "spool"\n'
        '[http]\nlisten = "127.0.0.1:0"\ntokens_file = "tokens.toml"\n'
    )
    daemon = Daemon(read_config(folder / "c.toml", {}))
    daemon.start()
    thread = threading.Thread(target=daemon.run)
    thread.start()
    assert daemon.url is not None
    yield daemon.url
    daemon.stop.set()
    thread.join(10)
    daemon.close()


def ask(address: str, who: str, method: str, path: str = "", body: object = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {who}"}
    with httpx.Client(trust_env=False, headers=headers) as client:
        return client.request(method, f"{address}/api/v1/silences{path}", json=body)


def test_a_projects_admin_cannot_replace_a_silence_that_it_does_not_see(address: str) -> None:
    mine = {"matchers": ['rule="CostCap/job/USD"'], "for": "1h", "id": "maintenance"}
    assert ask(address, "vqe", "POST", body=mine).status_code == 201
    answer = ask(address, "iris", "POST", body=mine)
    assert (answer.status_code, answer.json()["detail"]) == (
        409, "another silence is called maintenance; leave `id` out, or choose another"
    )  # fmt: skip
    (kept,) = ask(address, "operator", "GET").json()["silences"]
    assert kept["matchers"] == ['rule="CostCap/job/USD"', 'project="vqe"']
    assert ask(address, "vqe", "POST", body={**mine, "for": "2h"}).json()["id"] == "maintenance", "its own is replaced"
    assert ask(address, "iris", "DELETE", "/maintenance").status_code == 404
    assert ask(address, "vqe", "DELETE", "/maintenance").json()["state"] == "expired"


@pytest.mark.parametrize("name", ["", "a/b", "red\x1b[31m", "line\n", "x" * 65])
def test_a_name_that_no_address_or_terminal_takes_is_refused(address: str, name: str) -> None:
    answer = ask(address, "iris", "POST", body={"matchers": ['rule="LossNaN"'], "for": "1h", "id": name})
    assert (answer.status_code, answer.json()["detail"][:4]) == (422, "id: ")


def test_a_pattern_that_could_stop_the_daemon_is_refused(address: str) -> None:
    answer = ask(address, "iris", "POST", body={"matchers": ['run=~"(a+)+$"'], "for": "1h"})
    assert answer.status_code == 422
    assert "may take too long to match" in answer.json()["detail"]


def test_more_than_the_log_takes_of_a_silence_is_refused(address: str) -> None:
    many = {"matchers": [f'x{number}="a"' for number in range(65)], "for": "1h"}
    answer = ask(address, "iris", "POST", body=many)
    assert (answer.status_code, "length <= 64" in answer.json()["detail"]) == (422, True)
    large = {"matchers": [f'x{number}="{"a" * 1000}"' for number in range(63)], "for": "1h"}
    answer = ask(address, "iris", "POST", body=large)
    assert answer.status_code == 413
    assert "too large to be recorded" in answer.json()["detail"]
