"""What goes wrong with Kafka, in our words and in one place; and the client's own log, made bearable.

In two outages of a broker aiokafka writes some 45,000 lines. Here each kind of its messages passes once a minute.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable

from quantum_mlops.errors import ConfigError, LogError, LogFencedError, QuantumMlopsError

_logger = logging.getLogger("quantum_mlops.kafka")
_CLIENT = "aiokafka"
_EVERY_SECONDS = 60.0
_MAX_KINDS = 1000

# By name, so that this module imports no client.
_FENCED = {"ProducerFenced", "InvalidProducerEpoch"}
_REFUSED = {
    "AuthenticationFailedError": "the credentials are refused",
    "SaslAuthenticationFailed": "the credentials are refused",
    "AuthenticationMethodNotSupported": "it does not take this way of signing in",
    "UnsupportedSaslMechanismError": "it does not take this SASL mechanism",
    "IllegalSaslStateError": "it wants another security_protocol",
    "TopicAuthorizationFailedError": "this user may not use the topic",
    "GroupAuthorizationFailedError": "this user may not use the consumer group",
    "ClusterAuthorizationFailedError": "this user may not do that in the cluster",
    "TransactionalIdAuthorizationFailed": "this user may not use the transactional id",
    "IncompatibleBrokerVersion": "the broker is too old; Kafka 2.5 or newer is needed",
    "UnsupportedVersionError": "the broker is too old; Kafka 2.5 or newer is needed",
    "UnrecognizedBrokerVersion": "the broker is too old; Kafka 2.5 or newer is needed",
    "NotImplementedError": "the broker speaks no version of the protocol that this client speaks",
}
_AWAY = {"KafkaConnectionError", "NodeNotReadyError", "NoBrokersAvailable", "BrokerNotAvailableError", "StaleMetadata"}


def explain(error: BaseException, doing: str, servers: str) -> QuantumMlopsError:
    """Return the error to raise in place of `error`: one line, with what was being done and where."""
    if isinstance(error, QuantumMlopsError):
        return error
    place = f"Kafka at {servers}: {doing}"
    if type(error).__name__ in _FENCED:
        return LogFencedError(f"{place}: another process has taken over; this one's write is refused")
    return LogError(f"{place}: {_say(error)}")


def _say(error: BaseException) -> str:
    name, text = type(error).__name__, _one_line(str(error))
    if name in _REFUSED:
        detail = text.removeprefix(name).lstrip(":] ")
        return f"{_REFUSED[name]}{f' ({detail})' if detail else ''}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {getattr(error, 'verify_message', '') or text}"
    if isinstance(error, TimeoutError):
        return text or "no answer in time"
    if name in _AWAY or isinstance(error, OSError):
        return f"cannot be reached: {text or name}"
    return f"{name}: {text}"


def is_users_mistake(error: BaseException) -> bool:
    """Return whether a person has to change something (credentials, TLS, versions) before it can work."""
    return type(error).__name__ in _REFUSED or isinstance(error, (ssl.SSLError, ConfigError))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


class ClientLog(logging.Handler):
    """Passes the client's warnings on to our logger: each kind once a minute, without tracebacks, with a count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Pass the record on, or count it."""
        kind, now = str(record.msg)[:200], self._clock()
        last, held = self._seen.get(kind, (-_EVERY_SECONDS, 0))
        if now - last < _EVERY_SECONDS:
            self._seen[kind] = (last, held + 1)
            return
        if len(self._seen) >= _MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        more = f" (and {held} more like it)" if held else ""
        _logger.warning("%s%s", _one_line(record.getMessage()), more)


_installing = threading.Lock()


def quiet_client_log() -> None:
    """Put `ClientLog` between aiokafka's loggers and ours; once a process."""
    logger = logging.getLogger(_CLIENT)
    with _installing:
        if not any(isinstance(handler, ClientLog) for handler in logger.handlers):
            logger.addHandler(ClientLog())
            logger.propagate = False
