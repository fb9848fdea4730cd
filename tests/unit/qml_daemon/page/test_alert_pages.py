"""An alert's link leads to the page on its rule, served by the same daemon."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qml_daemon.configuration import read_config
from qml_daemon.http.token_file import Token, hash_secret, write_tokens
from qml_daemon.manual import read_pages
from qml_daemon.runtime import Daemon

OUTSIDE = "https://monitor.example.org/qml"
NAN = {
    "specversion": "1.0", "id": "1", "source": "s", "type": "quantum_mlops.metric.logged.v1", "runid": "r1",
    "data": {"nonfinite": {"loss": "nan"}},
}  # fmt: skip


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    write_tokens(
        tmp_path / "t.toml", [Token(name="t", project="iris", scopes=["ingest"], sha256=hash_secret("secret"))]
    )
    (tmp_path / "c.toml").write_text(
        f'[http]\nlisten = "127.0.0.1:0"\nexternal_url = "{OUTSIDE}/"\ntokens_file = "t.toml"\n'
        '[log]\nkind = "memory"\n[spool]\ndir = "spool"\n[state]\ndir = "state"\n'
        '[receivers.me]\nlog = {}\n[route]\nreceiver = "me"\ngroup_wait = "0s"\n'
    )
    daemon = Daemon(read_config(tmp_path / "c.toml", {}))
    daemon.start()
    thread = threading.Thread(target=daemon.run)
    thread.start()
    yield daemon
    daemon.stop.set()
    thread.join(10)
    daemon.close()


def test_an_alerts_link_leads_to_the_page_on_its_rule_that_the_daemon_serves_to_everybody(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    with httpx.Client(base_url=daemon.url or "", trust_env=False) as client:
        headers = {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer secret"}
        assert client.post("/api/v1/events", json=NAN, headers=headers).status_code == 202
        deadline = time.monotonic() + 10
        while not (found := re.search(rf"FIRING critical LossNaN .* {OUTSIDE}(/\S+)$", caplog.text, re.MULTILINE)):
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.02)
        assert found[1] == "/docs/alerts/LossNaN"
        page = client.get(found[1])
        assert (page.status_code, page.content) == (200, read_pages()["LossNaN"])
        assert page.headers["Content-Type"] == "text/plain; charset=utf-8"
        for name, told in (("CostSpike/price", "CostSpike"), ("Mine%2Fbelow", "Threshold"), ("LossNaN.md", "LossNaN")):
            assert client.get(f"/docs/alerts/{name}").content == read_pages()[told]
        for name in ("README", "NoSuchRule", "..%2Fglossary", ""):
            assert client.get(f"/docs/alerts/{name}").status_code == 404
        assert client.get("/page/").status_code == 401
