"""What `doctor` says of the HTTP service."""

from pathlib import Path

import pytest

from qml_daemon.configuration import read_config
from qml_daemon.http import health
from qml_daemon.http.health import Health
from qml_daemon.http.report import report_http
from qml_daemon.http.token_file import write_tokens


@pytest.fixture
def report(tmp_path: Path):
    def ask(http: str, url: str | None = None) -> list[tuple[str, str, str]]:
        (tmp_path / "c.toml").write_text(f"[http]\n{http}\n")
        return list(report_http(read_config(tmp_path / "c.toml", {}), url))

    return ask


def test_a_service_is_asked_where_the_status_says_it_is(report, serve) -> None:
    state = Health()
    server, client = serve(health.routes(state))
    url = server.address.url
    ((name, verdict, text),) = report("", url)
    assert (name, verdict) == ("http", "fail")
    assert text.startswith(f"{url} answers 503: ")
    assert "the daemon is starting" in text
    state.state = "running"
    assert report("", url) == [("http", "ok", f"{url} is ready")]
    client.close()
    server.close()
    ((name, verdict, text),) = report("", url)
    assert (name, verdict) == ("http", "fail")
    assert text.startswith(f"{url} does not answer: ")


def test_without_a_daemon_the_configured_address_is_told(report) -> None:
    assert report("") == [("http", "ok", "127.0.0.1:8765, when the daemon runs")]
    assert report('listen = "off"') == [("http", "ok", "off")]


def test_tokens_are_counted_and_a_file_that_is_wrong_is_told(report, tmp_path: Path, tokens) -> None:
    place = tmp_path / "tokens.toml"
    assert report('tokens_file = "tokens.toml"')[0] == ("tokens", "ok", f"{place}: 3")
    write_tokens(place, [])
    verdict, text = report('tokens_file = "tokens.toml"')[0][1:]
    assert (verdict, text) == ("note", f"{place}: 0; nobody gets in, make one: quantum-mlops token add")
    place.chmod(0o644)
    verdict, text = report('tokens_file = "tokens.toml"')[0][1:]
    assert verdict == "fail"
    assert text.endswith(f"mend: chmod 600 {place}")
