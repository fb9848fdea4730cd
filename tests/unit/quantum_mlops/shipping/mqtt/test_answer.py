"""What an error means: mended by a person, or by waiting."""

import errno
import socket
import ssl

import pytest

from quantum_mlops.errors import ConfigError, PermanentError, RetryableError
from quantum_mlops.shipping.mqtt.answer import judge, judge_code, rejection_of
from quantum_mlops.shipping.mqtt.session import RefusedError


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (RefusedError(0x86), PermanentError, "refuses the user or the password: check QML_MQTT_USER and QML_MQTT_PASSWORD_FILE"),
        (RefusedError(0x87), PermanentError, "refuses the user or the password"),
        (RefusedError(0x84), PermanentError, "speaks no MQTT 5"),
        (RefusedError(0x8E), RetryableError, "another client of this name"),
        (RefusedError(0x88), RetryableError, "refuses or ended the connection (reason code 0x88)"),
        (RefusedError(None), RetryableError, "closed the connection; where that stays so the port may be for the other one"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), RetryableError, "cannot be reached: Connection refused"),
        (TimeoutError(), RetryableError, "gave no answer in time"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), PermanentError, "cannot be found (unknown): check the address"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), RetryableError, "cannot be reached"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), PermanentError, "speaks no TLS with us"),
        (ssl.SSLEOFError(8, "EOF"), RetryableError, "closed the connection"),
        (UnicodeError("label too long"), PermanentError, "the name of a host is wrong"),
        (ConfigError("QML_X: wrong"), PermanentError, "cannot be reached from here: QML_X: wrong"),
        (KeyError("hunter2"), RetryableError, "cannot take events now: KeyError"),
        (RetryableError("as it was"), RetryableError, "as it was"),
    ],
)  # fmt: skip
def test_an_error_of_a_connection(error, kind, said):
    found = judge(error)
    assert type(found) is kind
    assert said in str(found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (0x10, RetryableError, "has nobody who receives t"),
        (0x87, PermanentError, "lets this user not write to t"),
        (0x90, PermanentError, "does not take the topic t"),
        (0x97, RetryableError, "reason code 0x97"),
        (0x80, RetryableError, "reason code 0x80"),
    ],
)
def test_an_answer_to_a_message(code, kind, said):
    found = judge_code(code, "t")
    assert type(found) is kind
    assert said in str(found)


def test_some_answers_are_about_one_message():
    assert rejection_of(0x95) == "larger than the broker takes"
    assert rejection_of(0x87) is None
