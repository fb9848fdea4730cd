"""The Slack notifier against a real server that answers badly."""

import json
import logging
import time
from pathlib import Path

import pytest

from qml_daemon.notifiers.slack import SlackNotifier, SlackSettings
from quantum_mlops.errors import ConfigError, PermanentError, RetryableError


@pytest.fixture
def notifier(server, tmp_path: Path):
    (tmp_path / "url").write_text(server.url + "\n")
    found = SlackNotifier(SlackSettings(url_file=str(tmp_path / "url"), timeout="300ms"), clock=lambda: 1_000_000.0)
    yield found
    found.close()


def test_a_message_is_posted_as_json_and_ok_ends_it(server, notifier, make_alert, make_notification) -> None:
    notifier.send([make_notification(make_alert())])
    (body,) = server.bodies
    assert json.loads(body)["text"].startswith("[FIRING] CircuitDrift on ibm_hanoi: ")


@pytest.mark.parametrize(
    ("answer", "reason", "seconds"),
    [
        ((429, {"Retry-After": "30"}, "rate_limited"), "429: too many messages", 30.0),
        ((429, {"Retry-After": "Mon, 12 Jan 1970 13:46:50 GMT"}, ""), "429: too many messages", 10.0),
        ((429, {"Retry-After": "soon"}, ""), "429: too many messages", None),
        ((500, {}, "server_error"), "500: server_error", None),
        ((503, {"Retry-After": "7"}, ""), "503: Service Unavailable", 7.0),
        ((408, {}, "slow"), "408: slow", None),
        ("hang", "no answer within 0.3 s", None),
        ("close", "no connection (RemoteProtocolError)", None),
    ],
)
def test_what_may_pass_is_retryable(server, notifier, make_alert, make_notification, answer, reason, seconds) -> None:
    server.answers = [answer]
    with pytest.raises(RetryableError) as caught:
        notifier.send([make_notification(make_alert())])
    assert (str(caught.value), caught.value.retry_after_seconds) == (reason, seconds)
    notifier.send([make_notification(make_alert())])  # the next one gets through


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, {}, "invalid_payload"), "400: invalid_payload"),
        ((403, {}, "invalid_token"), "403: invalid_token"),
        ((404, {}, "no_service"), "404: no_service"),
        ((410, {}, "channel_is_archived"), "410: channel_is_archived"),
        ((302, {"Location": "http://127.0.0.1:1/"}, ""), "302: Found"),
    ],
)
def test_what_cannot_pass_is_permanent_and_redirects_are_not_followed(
    server, notifier, make_alert, make_notification, answer, reason
) -> None:
    server.answers = [answer]
    with pytest.raises(PermanentError) as caught:
        notifier.send([make_notification(make_alert())])
    assert str(caught.value) == reason
    assert len(server.bodies) == 1


def test_a_server_that_is_gone_is_retryable(notifier, server, tmp_path: Path, make_alert, make_notification) -> None:
    (tmp_path / "url").write_text("http://127.0.0.1:1/services/verysecret")
    gone = SlackNotifier(SlackSettings(url_file=str(tmp_path / "url")))
    with pytest.raises(RetryableError, match=r"^no connection \(ConnectError\)$"):
        gone.send([make_notification(make_alert())])
    gone.close()


def test_an_endless_answer_is_cut_off(server, notifier, make_alert, make_notification) -> None:
    server.answers = [(500, {}, "x" * 1_000_000)]
    began = time.monotonic()
    with pytest.raises(RetryableError) as caught:
        notifier.send([make_notification(make_alert())])
    assert len(str(caught.value)) < 120
    assert time.monotonic() - began < 5


def test_the_address_is_in_no_error_and_no_log(server, notifier, make_alert, make_notification, caplog) -> None:
    caplog.set_level(logging.INFO)
    for answer in (server.url, "close", "hang"):
        server.answers = [answer if answer in ("close", "hang") else (404, {}, answer)]
        with pytest.raises((PermanentError, RetryableError)) as caught:
            notifier.send([make_notification(make_alert())])
        assert "verysecret" not in str(caught.value)
    notifier.send([make_notification(make_alert())])
    assert "verysecret" not in caplog.text
    assert "verysecret" not in notifier.lane


def test_receivers_with_one_address_share_a_lane(server, notifier, tmp_path: Path) -> None:
    (tmp_path / "same").write_text(server.url)
    (tmp_path / "other").write_text(server.url + "2")
    lanes = [SlackNotifier(SlackSettings(url_file=str(tmp_path / name))).lane for name in ("same", "other")]
    assert lanes[0] == notifier.lane != lanes[1]


@pytest.mark.parametrize(
    "text", ["hooks.slack.com/services/verysecret", "http://example.org/verysecret", "ftp://x/verysecret", "https://"]
)
def test_what_is_no_address_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "url").write_text(text)
    with pytest.raises(ConfigError) as caught:
        SlackNotifier(SlackSettings(url_file=str(tmp_path / "url")))
    assert str(caught.value).startswith(f"{tmp_path / 'url'} holds no address like https://hooks.slack.com/services/…")
    assert "verysecret" not in str(caught.value)
