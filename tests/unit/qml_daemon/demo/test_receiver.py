"""The demo's receiver speaks Slack's protocol, and the notifier is understood by it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from qml_daemon.demo.receiver import MESSAGES, Receiver
from qml_daemon.demo.slack_text import read_markdown, render_message
from qml_daemon.notifiers.slack import SlackNotifier, SlackSettings
from qml_daemon.notifiers.trial import trial_notification


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with Receiver(tmp_path) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_a_message_of_the_notifier_is_taken_and_kept(receiver: Receiver, tmp_path: Path) -> None:
    notifier = SlackNotifier(SlackSettings(url_file=str(tmp_path / "slack-url")))
    notifier.send([trial_notification("team", 1_795_176_000_000_000_000)])
    notifier.close()
    (line,) = (tmp_path / MESSAGES).read_text().splitlines()
    message = json.loads(line)["message"]
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(render_message(message))
    shown = captured.get()
    assert "[NOTICE] ReceiverTest" in shown
    assert "Test of receiver team: nothing happened" in shown
    assert "at 2026-11-20 12:00:00 UTC" in shown
    assert "*" not in shown


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        (None, b'{"text": "hi"}', 200, "ok"),
        (None, b"{}", 400, "no_text"),
        (None, b"{", 400, "invalid_payload"),
        (None, b"\xff", 400, "invalid_payload"),
        ("/services/wrong", b'{"text": "hi"}', 404, "no_service"),
    ],
)
def test_answers_are_slacks(receiver: Receiver, path: str | None, body: bytes, status: int, word: str) -> None:
    port = receiver.server_address[1]
    answer = httpx.post(f"http://127.0.0.1:{port}{path or receiver.secret_path}", content=body)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (status, word, "text/plain")


def test_the_address_is_readable_by_its_owner_only(receiver: Receiver, tmp_path: Path) -> None:
    assert (tmp_path / "slack-url").stat().st_mode & 0o777 == 0o600


def test_markdown_becomes_text(receiver: Receiver) -> None:
    shown = read_markdown("*a &lt;b&gt;* `c` <!date^1^{x}|2026 UTC> &amp;")
    assert shown.plain == "a <b> c 2026 UTC &"
