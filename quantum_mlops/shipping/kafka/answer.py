"""What an error of a Kafka client means: the one place where it is decided whether sending again can help.

wrong secret, right, certificate, name or topic   not before a person mends something (`PermanentError`)
all other                                         later (`RetryableError`)
"""

import os
import re
import socket
import ssl

from aiokafka import errors

from quantum_mlops.errors import DeliveryError, PermanentError, RetryableError, UserError
from quantum_mlops.transports.kafka.settings import variable_of

TOO_LARGE = (errors.MessageSizeTooLargeError, errors.RecordListTooLargeError, errors.RecordTooLargeError)
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_KEY = re.compile(r"\bkafka\.([a-z_]+)")  # of the configuration; a target's are in the environment
_TEMPORARY_NAME = frozenset((socket.EAI_AGAIN, socket.EAI_MEMORY))


_MENDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (errors.SaslAuthenticationFailed, errors.AuthenticationFailedError),
        "refuses the user or the secret: check QML_KAFKA_SASL_USERNAME and the file of the password or token",
    ),
    (
        (errors.UnsupportedSaslMechanismError, errors.IllegalSaslStateError, errors.SecurityDisabled),
        "does not take this kind of login: check QML_KAFKA_SASL_MECHANISM and QML_KAFKA_SECURITY_PROTOCOL",
    ),
    (
        (errors.ClusterAuthorizationFailedError, errors.TopicAuthorizationFailedError),
        "lets this user not write to {topic}: give it the right WRITE on that topic",
    ),
    (
        (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError),
        "shows no topic {topic} to this user: create it with quantum-mlops kafka init, or check QML_KAFKA_TOPIC_PREFIX",
    ),
    (
        (errors.IncompatibleBrokerVersion, errors.UnsupportedVersionError, errors.UnrecognizedBrokerVersion),
        "is too old: Kafka 2.5 or newer is needed",
    ),
    ((UnicodeError,), "cannot be found: the name of a host is wrong"),  # from the resolver's IDNA
)


def judge(error: Exception, topic: str) -> DeliveryError:
    """Return what to raise for an error met while connecting or sending; it reads on after the address."""
    if isinstance(error, DeliveryError):
        return error
    mend = _mend(error, topic)
    return RetryableError(_describe(error)) if mend is None else PermanentError(mend)


def _mend(error: Exception, topic: str) -> str | None:
    """Return what a person has to do, None where waiting may help."""
    if isinstance(error, UserError):
        return f"cannot be reached from here: {_KEY.sub(lambda found: variable_of(found[1]), str(error))}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that does not verify ({error.verify_message}): check QML_KAFKA_SSL_CAFILE"
    if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_OFF):
        reason = getattr(error, "reason", None) or "no reason given"
        return f"speaks no TLS with us ({reason}): check QML_KAFKA_SECURITY_PROTOCOL"
    if isinstance(error, socket.gaierror):
        temporary = error.errno in (socket.EAI_AGAIN, socket.EAI_MEMORY)
        return None if temporary else f"cannot be found ({error.strerror}): check the address"
    return next((text.format(topic=topic) for types, text in _MENDS if isinstance(error, types)), None)


def _describe(error: Exception) -> str:
    """Return the reason without what a broker wrote: that may be anything."""
    if isinstance(error, TimeoutError):
        return "gave no answer in time"
    if isinstance(error, (*_BROKEN_OFF, errors.KafkaConnectionError, ConnectionResetError)):
        return "closed the connection; where that stays so it may want TLS or a login: QML_KAFKA_SECURITY_PROTOCOL"
    if isinstance(error, OSError):
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror  # asyncio's own text repeats the address
        return f"cannot be reached: {reason}" if reason else "cannot be reached"
    return f"cannot take events now: {type(error).__name__}"
