"""The tokens file: what is in force, who may read it, and when it is read again."""

from pathlib import Path

import pytest

from qml_daemon.http import token_file
from qml_daemon.http.token_file import Token, TokenFile, hash_secret, read_tokens, write_tokens
from quantum_mlops.errors import ConfigError


def token(name: str, **fields) -> Token:
    return Token(**({"name": name, "project": "iris", "scopes": ["ingest"], "sha256": hash_secret(name)} | fields))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    known = [token("a", project='a "quoted" \\ π\n'), token("b", scopes=["read", "admin"], events_per_second=5)]
    write_tokens(tmp_path / "deep" / "t.toml", known)
    assert read_tokens(tmp_path / "deep" / "t.toml") == known
    assert (tmp_path / "deep" / "t.toml").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in (tmp_path / "deep").iterdir()] == ["t.toml"]


def test_a_file_that_others_may_read_is_refused_with_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    write_tokens(path, [token("a")])
    for mode in (0o604, 0o620, 0o644, 0o602):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=f"open to other users .mode {mode:o}.; mend: chmod 600 "):
            TokenFile(path)
    path.chmod(0o640)
    assert TokenFile(path).find("a") == token("a")


def test_a_rewritten_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    write_tokens(path, [])
    path.chmod(0o640)
    write_tokens(path, [token("a")])
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens = 3", "Expected `array`"),
        ("[[tokens]]\nname = 'a'", "missing required field"),
        ("[[tokens]]\nname = 'a b'\nproject = 'p'\nscopes = []\nsha256 = '" + "0" * 64 + "'", "name"),
        ("[[tokens]]\nname = 'a'\nproject = 'p'\nscopes = ['root']\nsha256 = '" + "0" * 64 + "'", "root"),
        ("[[tokens]]\nname = 'a'\nproject = 'p'\nscopes = []\nsha256 = 'secret'", "sha256"),
        ("[[tokens]]\nname = 'a'\nproject = 'p'\nscopes = []\nsecret = 's'\nsha256 = '" + "0" * 64 + "'", "secret"),
        ("tokens = [", "Invalid value"),
        ("\udcff", "codec"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=f"^http.tokens_file: {path}: .*{said}"):
        TokenFile(path)


def test_two_tokens_of_one_name_or_secret_are_refused(tmp_path: Path) -> None:
    write_tokens(tmp_path / "t", [token("a"), token("a", sha256="0" * 64)])
    with pytest.raises(ConfigError, match="two tokens have the same name"):
        read_tokens(tmp_path / "t")
    write_tokens(tmp_path / "t", [token("a"), token("b", sha256=hash_secret("a"))])
    with pytest.raises(ConfigError, match="two tokens have the same sha256"):
        read_tokens(tmp_path / "t")


def test_a_missing_file_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match="cannot be read: No such file or directory; quantum-mlops token add makes it"
    ):
        TokenFile(tmp_path / "t")


def test_a_changed_file_is_in_force_and_a_broken_one_leaves_the_old(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(token_file, "_LOOK_AGAIN_SECONDS", 0.0)
    path = tmp_path / "t.toml"
    write_tokens(path, [token("a")])
    found = TokenFile(path)
    write_tokens(path, [token("b")])
    assert (found.find("a"), found.find("b")) == (None, token("b"))
    path.write_text("tokens = [")
    for _ in range(3):
        assert found.find("b") == token("b")
    assert caplog.text.count("the tokens read before stay in force") == 1
    path.unlink()
    assert found.find("b") == token("b")
    write_tokens(path, [token("c")])
    assert (found.find("b"), found.find("c")) == (None, token("c"))


def test_every_token_is_compared_whichever_is_right(tmp_path: Path, monkeypatch) -> None:
    compared = []
    monkeypatch.setattr(token_file.hmac, "compare_digest", lambda a, b: compared.append(a) or a == b)
    write_tokens(tmp_path / "t", [token("a"), token("b"), token("c")])
    found = TokenFile(tmp_path / "t")
    for secret in ("a", "c", "none", "\udcff"):
        found.find(secret)
    assert len(compared) == 12


def test_admin_reads_but_does_not_ingest() -> None:
    admin = token("a", scopes=["admin"])
    assert [admin.allows(scope) for scope in ("admin", "read", "ingest")] == [True, True, False]
