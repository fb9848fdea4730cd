import socket
import ssl

import pytest
from aiokafka import errors

from quantum_mlops.errors import ConfigError, MissingExtraError, PermanentError, RetryableError
from quantum_mlops.shipping.kafka.answer import judge


def verify_error():
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.SaslAuthenticationFailed("hunter2 is wrong"), "QML_KAFKA_SASL_USERNAME"),
        (errors.UnsupportedSaslMechanismError("x"), "QML_KAFKA_SASL_MECHANISM"),
        (errors.TopicAuthorizationFailedError("qml.events.v1"), "the right WRITE on that topic"),
        (errors.ClusterAuthorizationFailedError(), "the right WRITE on that topic"),
        (errors.UnknownTopicOrPartitionError(), "shows no topic qml.events.v1 to this user: create it with quantum-mlops kafka init"),
        (errors.IncompatibleBrokerVersion(), "is too old"),
        (verify_error(), "does not verify (self-signed certificate): check QML_KAFKA_SSL_CAFILE"),
        (ssl.SSLError(1, "wrong version number"), "check QML_KAFKA_SECURITY_PROTOCOL"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "cannot be found (Name or service not known)"),
        (ConfigError("kafka.sasl_password_file: cannot read /p"), "QML_KAFKA_SASL_PASSWORD_FILE: cannot read /p"),
        (MissingExtraError("Kafka", "kafka"), "pip install 'quantum-mlops[kafka]'"),
    ],
)  # fmt: skip
def test_what_a_person_has_to_mend_is_permanent_and_says_how(error, said):
    judged = judge(error, "qml.events.v1")
    assert isinstance(judged, PermanentError)
    assert said in str(judged)
    assert "hunter2" not in str(judged)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "cannot be reached: Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] …"), "cannot be reached"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "Temporary failure"),
        (TimeoutError(), "gave no answer in time"),
        (errors.KafkaConnectionError("Connection at h:1 closed"), "closed the connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "closed the connection"),
        (errors.NotEnoughReplicasError(), "cannot take events now: NotEnoughReplicasError"),
        (errors.OutOfOrderSequenceNumber(), "cannot take events now"),
        (KeyError("a fault of ours"), "cannot take events now: KeyError"),
    ],
)
def test_all_other_trouble_is_waited_out(error, said):
    judged = judge(error, "qml.events.v1")
    assert isinstance(judged, RetryableError)
    assert said in str(judged)
    assert "\n" not in str(judged)


def test_what_is_judged_already_stays_as_it_is():
    error = RetryableError("later", 7.0)
    assert judge(error, "t") is error
