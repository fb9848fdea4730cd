"""What `doctor` says of a service that programs here send to, tried with one request."""

import pytest

from qml_daemon.shipping.service_report import report_service
from quantum_mlops.shipping.client import VERSION_HEADER
from quantum_mlops.version import __version__
from tests.service import Answer

WORD = "open-sesame"
RECEIPT = b'{"accepted": 0, "rejected": []}'


@pytest.mark.parametrize("environ", [{}, {"QML_TARGET": "spool:"}, {"QML_TARGET": "kafka://h:1"}])
def test_nothing_is_said_where_the_target_is_no_service(environ):
    assert list(report_service(environ)) == []


def test_a_service_that_takes_the_token_is_ok_with_its_version(service):
    service.token = WORD
    service.plan.append(Answer(202, headers={VERSION_HEADER: "9.9.1"}, kind="application/json", body=RECEIPT))
    line = f"{service.url}: reachable, the token is accepted, quantum-mlops 9.9.1 (here {__version__})"
    assert list(report_service({"QML_TARGET": service.url, "QML_TOKEN": WORD})) == [("target", "ok", line)]
    assert len(service.requests) == 1
    assert service.requests[0][1]["Authorization"] == f"Bearer {WORD}"
    assert service.events == {}


@pytest.mark.parametrize("version", [None, "<b>1</b>", "1" * 41])
def test_a_service_that_tells_no_version_is_not_guessed_at(service, version):
    headers = {} if version is None else {VERSION_HEADER: version}
    service.plan.append(Answer(202, headers=headers, kind="application/json", body=RECEIPT))
    ((_, verdict, text),) = report_service({"QML_TARGET": service.url})
    assert verdict == "ok"
    assert "it asks for no token, quantum-mlops a version that it does not tell" in text


def test_a_token_that_is_refused_fails_with_the_mend_and_without_the_secret(service):
    service.token = WORD
    ((_, verdict, text),) = report_service({"QML_TARGET": service.url, "QML_TOKEN": "wr0ng"})
    assert (verdict, "wr0ng" in text) == ("fail", False)
    assert text.endswith("it wants a valid token: set QML_TOKEN or QML_TOKEN_FILE")


def test_a_service_that_is_down_is_a_note_since_the_spool_keeps_the_events(service):
    service.stop()
    ((_, verdict, text),) = report_service({"QML_TARGET": service.url})
    assert (verdict, text) == (
        "note",
        f"{service.url} cannot be reached: Connection refused; programs keep their events in the spool meanwhile",
    )


def test_an_address_with_a_secret_fails_without_repeating_it():
    ((_, verdict, text),) = report_service({"QML_TARGET": "https://me:hunter2@monitor.example"})
    assert (verdict, "hunter2" in text) == ("fail", False)
    assert text.startswith("QML_TARGET: target: a secret does not belong")


def test_somebody_elses_server_is_named_as_none_of_ours(service):
    service.plan.append(Answer(200, kind="text/html", body=b"<html>"))
    ((_, verdict, text),) = report_service({"QML_TARGET": service.url})
    assert verdict == "fail"
    assert text.endswith("answered in other words than quantum-mlops: check the address")
