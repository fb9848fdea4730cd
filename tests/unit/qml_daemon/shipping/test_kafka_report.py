import pytest

from qml_daemon.shipping.kafka_report import report_kafka


@pytest.mark.parametrize("environ", [{}, {"QML_TARGET": "spool:"}, {"QML_TARGET": "https://monitor.example"}])
def test_nothing_is_said_where_the_target_is_no_kafka(environ):
    assert list(report_kafka(environ)) == []


@pytest.mark.parametrize(
    ("environ", "verdict", "said"),
    [
        ({"QML_TARGET": "kafka://me:hunter2@h"}, "fail", "QML_TARGET: target: a secret does not belong into an address"),
        ({"QML_TARGET": "kafka://127.0.0.1:1"}, "note", "kafka://127.0.0.1:1 cannot be reached: Connection refused; programs keep"),
        (
            {"QML_TARGET": "kafka://127.0.0.1:1", "QML_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
            "fail",
            "kafka://127.0.0.1:1 cannot be reached from here: QML_KAFKA_SASL_MECHANISM: needed with SASL",
        ),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_used_is_said_with_its_mend(environ, verdict, said):
    ((name, found, text),) = report_kafka(environ)
    assert (name, found) == ("target", verdict)
    assert text.startswith(said)
    assert "hunter2" not in text
