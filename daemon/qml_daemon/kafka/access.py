"""How commands reach the configured Kafka."""

from collections.abc import Coroutine
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from quantum_mlops.config.sections import Config
from quantum_mlops.errors import MissingExtraError, UserError

if TYPE_CHECKING:
    from quantum_mlops.transports.kafka.log import KafkaLog
    from quantum_mlops.transports.kafka.settings import KafkaSettings

T = TypeVar("T")


def kafka_settings(config: Config) -> "KafkaSettings":
    """Return how the configuration says Kafka is reached.

    Raises:
        MissingExtraError: aiokafka is not installed.
        UserError: the configuration names no Kafka.

    """
    if find_spec("aiokafka") is None:
        raise MissingExtraError("Kafka", "kafka")
    if config.kafka is None:
        place = "the configuration (none was found)" if config.path is None else str(config.path)
        raise UserError(f'{place} has no [kafka]; add it with bootstrap_servers = ["host:9092"]')
    from quantum_mlops.transports.kafka.settings import KafkaSettings  # noqa: PLC0415 - an extra

    return KafkaSettings.from_section(config.kafka)


def open_kafka(settings: "KafkaSettings", writer: str) -> "KafkaLog":
    """Return the log in Kafka. `writer` names this command, so that nobody else's writing is fenced by it.

    Raises:
        ConfigError: credentials or topics are wrong. LogError: no broker can be reached.

    """
    from quantum_mlops.transports.kafka.log import KafkaLog  # noqa: PLC0415 - an extra

    return KafkaLog(settings, writer=writer)


def ask_broker(settings: "KafkaSettings", question: Coroutine[Any, Any, T], doing: str) -> T:
    """Return what a broker answers to one question.

    Raises:
        ConfigError: credentials are wrong. LogError: no broker can be reached, or it refuses.

    """
    from quantum_mlops.transports.kafka.fetch import probe  # noqa: PLC0415 - an extra
    from quantum_mlops.transports.kafka.loop import KafkaLoop  # noqa: PLC0415 - an extra

    loop = KafkaLoop(settings.servers)
    try:
        try:
            loop.run(probe(settings), "signing in")
        except BaseException:
            question.close()
            raise
        return loop.run(question, doing)
    finally:
        loop.close()
