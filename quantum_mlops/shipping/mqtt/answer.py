"""What a broker's reason code, or an error of a connection, means: the one place where that is decided.

wrong secret, right, certificate, name or protocol   not before a person mends something (`PermanentError`)
a message that is too large or not what it seems     that message never (`Rejected`)
nobody receives the topic                            later: the broker has thrown it away, the spool has it
all other                                            later (`RetryableError`)

Source: MQTT Version 5.0 (OASIS), section 2.4 (reason codes).
"""

import os
import socket
import ssl

from quantum_mlops.errors import ConfigError, DeliveryError, PermanentError, RetryableError
from quantum_mlops.shipping.mqtt.access import CA_FILE, PASSWORD, USER
from quantum_mlops.shipping.mqtt.session import FAILURE, RefusedError

NOBODY = 0x10
NOT_AUTHORIZED, TAKEN_OVER, PACKET_TOO_LARGE = 0x87, 0x8E, 0x95
_NAMES = (USER, f"{PASSWORD}_FILE", CA_FILE)
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError)
_REJECTED = {
    0x95: "larger than the broker takes",
    0x99: "the broker takes no such payload",
}
_LOGIN = "refuses the user or the password: check {user} and {password}"
_CONNECTING = {
    0x84: "speaks no MQTT 5",
    0x85: "does not take the name of this client",
    0x86: _LOGIN,
    0x87: _LOGIN,
    0x8A: "has banned this client",
    0x8C: "wants another kind of login than user and password",
    0x95: "takes no packets of the size that it was sent: check its max_packet_size",
    0x9C: "says that another server is to be used: check the address",
    0x9D: "says that it has moved: check the address",
}
_PUBLISHING = {
    0x87: "lets this user not write to {topic}: give it that right in the broker's access list",
    0x90: "does not take the topic {topic}",
    0x9B: "does not take messages with an acknowledgement (QoS 1)",
}


def rejection_of(code: int) -> str | None:
    """Return why a broker will never take this one message, None where its answer says something else."""
    return _REJECTED.get(code)


def is_delivered(code: int | None) -> bool:
    """Return whether the broker has the message, and somebody to give it to.

    >>> is_delivered(0), is_delivered(0x10), is_delivered(None)
    (True, False, False)
    """
    return code is not None and code < FAILURE and code != NOBODY


def judge_code(code: int, topic: str) -> DeliveryError:
    """Return what to raise for a message that was answered and not delivered; it reads on after the address."""
    if code == NOBODY:
        return RetryableError(f"has nobody who receives {topic}: start the daemon with [mqtt]")
    if code in _PUBLISHING:
        return PermanentError(_PUBLISHING[code].format(topic=topic))
    return RetryableError(f"does not take messages now (reason code 0x{code:02X})")


def judge(error: Exception, names: tuple[str, str, str] = _NAMES) -> DeliveryError:
    """Return what to raise for an error met while connecting, or without an answer; it reads on after the address.

    `names` are those of user, password file and authority where the reader finds them.
    """
    if isinstance(error, DeliveryError):
        return error
    mend = _mend(error, names)
    return RetryableError(_describe(error)) if mend is None else PermanentError(mend)


def _mend(error: Exception, names: tuple[str, str, str]) -> str | None:
    """Return what a person has to do, None where waiting may help."""
    if isinstance(error, RefusedError):
        text = None if error.code is None else _CONNECTING.get(error.code)
        return None if text is None else text.format(user=names[0], password=names[1])
    if isinstance(error, ConfigError):
        return f"cannot be reached from here: {error}"
    return _mend_of_network(error, names[2])


def _mend_of_network(error: Exception, authority: str) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has a certificate that does not verify ({error.verify_message}): check {authority}"
    if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKEN_OFF):
        reason = getattr(error, "reason", None) or "no reason given"
        return f"speaks no TLS with us ({reason}): mqtts:// needs the broker's port for TLS"
    if isinstance(error, socket.gaierror):
        temporary = error.errno in (socket.EAI_AGAIN, socket.EAI_MEMORY)
        return None if temporary else f"cannot be found ({error.strerror}): check the address"
    if isinstance(error, UnicodeError):
        return "cannot be found: the name of a host is wrong"
    return None


def _describe(error: Exception) -> str:
    """Return the reason without what a broker wrote: that may be anything."""
    if isinstance(error, TimeoutError):
        return "gave no answer in time"
    if isinstance(error, RefusedError) and error.code == TAKEN_OVER:
        return "was asked by another client of this name, which took over"
    if isinstance(error, RefusedError) and error.code is not None:
        return f"refuses or ended the connection (reason code 0x{error.code:02X})"
    if isinstance(error, (*_BROKEN_OFF, RefusedError)):
        return "closed the connection; where that stays so the port may be for the other one of mqtt:// and mqtts://"
    if isinstance(error, OSError):
        reason = os.strerror(error.errno) if error.errno else error.strerror
        return f"cannot be reached: {reason}" if reason else "cannot be reached"
    return f"cannot take events now: {type(error).__name__}"
