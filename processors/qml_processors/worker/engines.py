"""Which engine delivers: by name, imported only where it is wanted."""

import os
import sys
from importlib import import_module
from types import ModuleType

from msgspec import structs

from qml_processors.worker.delivery import Delivery
from qml_processors.worker.kafka_store import KafkaStore
from quantum_mlops.errors import MissingExtraError
from quantum_mlops.transports.kafka.settings import KafkaSettings

_READ_BY_FAUST = ("FAUST_LOOP", "F_LOOP", "FAUST_DATADIR", "F_DATADIR")


def make_delivery(settings: KafkaSettings, store: KafkaStore, instance: str | None) -> Delivery:
    """Return the delivery of `settings.engine`. An `instance` is also the name that the group shows as the owner.

    Raises:
        MissingExtraError: it is not installed.

    """
    if instance is not None:
        settings = structs.replace(settings, client_id=instance)
    if settings.engine == "faust":
        delivery: Delivery = _import_faust_delivery().FaustDelivery(store.loop, settings, instance)
        return delivery
    from qml_processors.worker.aiokafka_delivery import AiokafkaDelivery  # noqa: PLC0415 - only where it is wanted

    return AiokafkaDelivery(store.loop, settings, instance)


def _import_faust_delivery() -> ModuleType:
    """Import it. At its import faust reads the command line and the environment, and may change the event loop."""
    argv, sys.argv = sys.argv, sys.argv[:1]
    hidden = {name: os.environ.pop(name) for name in _READ_BY_FAUST if name in os.environ}
    try:
        return import_module("qml_processors.worker.faust_delivery")
    except ModuleNotFoundError as error:
        if error.name not in {"faust", "mode"}:
            raise
        raise MissingExtraError("the engine faust", "faust") from error
    finally:
        sys.argv = argv
        os.environ.update(hidden)
