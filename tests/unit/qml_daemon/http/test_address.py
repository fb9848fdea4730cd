"""Where to listen: what is understood, what is refused before the daemon starts."""

from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from qml_daemon.http.address import Address, parse_listen
from quantum_mlops.errors import ConfigError


@pytest.mark.parametrize(
    "text", ["", "8765", "localhost", ":8765", "::1:8765", "[::1]", "host:", "host:x", "host:99999", "a b:1", "host:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no address|a port is at most"):
        parse_listen(text)


def test_port_zero_and_names_are_addresses() -> None:
    assert parse_listen("localhost:0") == Address("localhost", 0)
    assert parse_listen("monitor.example.org:80") == Address("monitor.example.org", 80)


def check(tmp_path: Path, http: str) -> str:
    path = tmp_path / "c.toml"
    path.write_text(f"[http]\n{http}\n")
    try:
        read_config(path, {})
    except ConfigError as error:
        return str(error).removeprefix(f"{path}: ")
    return "ok"


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8765", "[::]:8765", "192.168.1.7:80", "monitor.example.org:8765", "127.0.0.1.example.org:1"]
)
def test_listening_beyond_loopback_needs_tokens(tmp_path: Path, listen: str) -> None:
    said = check(tmp_path, f'listen = "{listen}"')
    assert said.startswith(f"http.tokens_file: {listen} can be reached from other machines")
    assert "quantum-mlops token add" in said
    assert check(tmp_path, f'listen = "{listen}"\ntokens_file = "t.toml"') == "ok"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.1.2.3:80", "localhost:8765", "[::1]:8765", "off"])
def test_loopback_and_off_need_none(tmp_path: Path, listen: str) -> None:
    assert check(tmp_path, f'listen = "{listen}"') == "ok"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://monitor.example.org/qml", "ok"),
        ("http://[::1]:80", "ok"),
        ("monitor.example.org", "http.external_url: no address that a browser could open"),
        ("ftp://monitor.example.org", "http.external_url: no address that a browser could open"),
        ("https://x:99999", "http.external_url: no address that a browser could open"),
        ("https://[::1", "http.external_url: no address that a browser could open"),
        ("https://me:secret@monitor.example.org", "http.external_url: only scheme, host, port and path"),
        ("https://monitor.example.org/?a=1", "http.external_url: only scheme, host, port and path"),
    ],
)
def test_an_external_url_is_one_that_a_browser_opens(tmp_path: Path, url: str, said: str) -> None:
    assert check(tmp_path, f'external_url = "{url}"').startswith(said)


def test_a_tokens_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[http]\ntokens_file = "../t.toml"\n')
    assert read_config(tmp_path / "c.toml", {}).http.tokens_file == str(tmp_path.parent / "t.toml")
