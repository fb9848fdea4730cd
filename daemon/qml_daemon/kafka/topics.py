"""The topics: made where they are missing, and refused where they do not fit."""

from collections.abc import Mapping

from msgspec import Struct

from qml_daemon.kafka.access import ask_broker
from quantum_mlops.errors import UserError
from quantum_mlops.transports.kafka.admin import describe_topics
from quantum_mlops.transports.kafka.fit import find_misfits
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, create, wanted


class TopicReport(Struct, frozen=True, kw_only=True):
    """One topic: what it is to be, and whether it was there."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]
    existed: bool


def prepare_topics(settings: KafkaSettings, *, dry_run: bool) -> list[TopicReport]:
    """Create the topics that are missing and return all of them. Idempotent.

    Raises:
        UserError: one that is there does not fit; nothing was created.
        ConfigError, LogError: the broker cannot be reached or refuses.

    """
    partitions = settings.partitions or 1
    plan = wanted(Topics(settings.topic_prefix), partitions)
    found = ask_broker(settings, describe_topics(settings, plan), "looking at the topics")
    misfits = list(find_misfits(settings, partitions, found))
    if misfits:
        raise UserError("\n".join(misfits))
    if not dry_run and len(found) < len(plan):
        ask_broker(settings, create(settings, partitions), "creating topics")
    return [
        TopicReport(
            name=name,
            partitions=count,
            replicas=found[name].replicas if name in found else settings.replication_factor,
            settings={key: found[name].settings.get(key, "") for key in config} if name in found else config,
            existed=name in found,
        )
        for name, (count, config) in plan.items()
    ]
