"""`quantum-mlops token`: the secret is shown once, and opens the service until the token is removed."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from qml_daemon.http.token_file import TokenFile

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, run: Run) -> Run:
    (tmp_path / "quantum-mlops.toml").write_text('[http]\nlisten = "0.0.0.0:0"\ntokens_file = "tokens.toml"\n')
    return partial(run, "token")


def test_a_secret_is_shown_once_and_only_its_digest_kept(run: Run, tmp_path: Path) -> None:
    code, secret, said = run("add", "lab", "--project", "iris")
    assert (code, secret.count("\n")) == (0, 1)
    assert said == f"{tmp_path}/tokens.toml: lab may ingest for project iris; its token, shown once:\n"
    kept = (tmp_path / "tokens.toml").read_text()
    assert secret.strip() not in kept
    assert (tmp_path / "tokens.toml").stat().st_mode & 0o777 == 0o600
    token = TokenFile(tmp_path / "tokens.toml").find(secret.strip())
    assert token is not None
    assert (token.name, token.project, token.scopes, token.events_per_second) == ("lab", "iris", ["ingest"], 20_000)
    assert run("add", "other", "-p", "iris")[1] != secret


def test_tokens_are_listed_without_secrets_and_removed(run: Run) -> None:
    assert run("list")[1].endswith("no tokens; make one: quantum-mlops token add NAME --project PROJECT\n")
    run("add", "lab", "-p", "iris", "--events-per-second", "7")
    run("add", "prometheus", "-p", "*", "-s", "read", "-s", "admin", "-s", "read")
    _, listed, _ = run("list")
    assert [line.split() for line in listed.splitlines()] == [
        ["lab", "iris", "ingest", "7/s"],
        ["prometheus", "*", "read,admin", "20000/s"],
    ]
    assert run("remove", "lab")[0] == 0
    assert [one["name"] for one in json.loads(run("list", "--json")[1])] == ["prometheus"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "lab", "-p", "vqe"], "there is a token lab already"),
        (["add", "la b", "-p", "iris"], "token name: letters, digits, _ . and -, at most 64"),
        (["add", "x", "-p", ""], "token project: 1 to 512 characters"),
        (["add", "x", "-p", "iris", "-s", "root"], "token scopes: ingest, read or admin"),
        (["add", "x", "-p", "iris", "--events-per-second", "0"], "token events_per_second: a whole number from 1 on"),
        (["remove", "labs"], "no token is called labs; did you mean lab?"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    run("add", "lab", "-p", "iris")
    before = (tmp_path / "tokens.toml").read_bytes()
    code, out, error = run(*arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error
    assert (tmp_path / "tokens.toml").read_bytes() == before


def test_without_a_named_file_the_mend_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quantum-mlops.toml").write_text("")
    code, _, error = run("list")
    assert code == 2
    assert '[http] tokens_file = "tokens.toml"' in error
    assert run("add", "lab", "-p", "iris", "--file", "t.toml")[0] == 0
    assert run("list", "--file", "t.toml")[1].startswith("lab ")
