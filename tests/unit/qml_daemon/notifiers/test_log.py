"""The log notifier: one line an alert, whatever its texts hold."""

import logging

import pytest

from qml_daemon.notifiers.log import LogNotifier, LogSettings, format_alert


def test_an_alert_is_one_line_with_its_numbers(make_alert) -> None:
    line = format_alert(make_alert(annotations={"summary": "two\nlines\x1b[2J"}))
    assert line.startswith("FIRING critical CircuitDrift backend=ibm_hanoi project=iris qubits=0-1-2-3 two lines")
    assert "hellinger=0.08709" in line
    assert line.endswith("id=000102030405")
    assert line.isprintable(), "a terminal or a log store is not steered by what users write"


def test_severity_decides_the_level(make_alert, make_notification, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "quantum_mlops.alerts")
    alerts = [make_alert(0), make_alert(1, severity="warning"), make_alert(2, status="resolved", ends=1)]
    LogNotifier(LogSettings()).send([make_notification(*alerts, firing=5)])
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO", "WARNING"]
    assert caplog.records[-1].getMessage() == "… and 3 more in this group: quantum-mlops alerts"
