"""Which engine delivers: by name, imported only where it is wanted."""

from importlib import import_module

from qml_processors.worker.delivery import Delivery
from qml_processors.worker.kafka_store import KafkaStore
from quantum_mlops.errors import MissingExtraError
from quantum_mlops.transports.kafka.settings import KafkaSettings


def make_delivery(settings: KafkaSettings, store: KafkaStore, instance: str | None) -> Delivery:
    """Return the delivery of `settings.engine`.

    Raises:
        MissingExtraError: it is not installed.

    """
    if settings.engine == "faust":
        try:
            engine = import_module("qml_processors.worker.faust_delivery")
        except ImportError as error:
            raise MissingExtraError("the engine faust", "faust") from error
        delivery: Delivery = engine.FaustDelivery(settings, store.partitions)
        return delivery
    from qml_processors.worker.aiokafka_delivery import AiokafkaDelivery  # noqa: PLC0415 - only where it is wanted

    return AiokafkaDelivery(store.loop, settings, instance)
