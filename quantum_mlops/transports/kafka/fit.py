"""Whether a topic that is there fits: which of its settings matter, found, wanted, and what mends it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics, wanted

if TYPE_CHECKING:
    from quantum_mlops.transports.kafka.admin import Described

_AT_LEAST = frozenset({"retention.ms", "max.message.bytes"})
_AT_MOST = frozenset({"max.compaction.lag.ms", "min.cleanable.dirty.ratio", "segment.bytes", "segment.ms"})


def find_misfits(settings: KafkaSettings, partitions: int, found: "Mapping[str, Described]") -> Iterator[str]:
    """Yield a line for each setting of a topic that does not fit: topic, setting, found, wanted, mend.

    More retention, larger messages and earlier compaction than wanted fit as well; topics that are not there
    are no misfits.
    """
    for name, (count, config) in wanted(Topics(settings.topic_prefix), partitions).items():
        topic = found.get(name)
        if topic is None:
            continue
        if topic.partitions != count:
            yield (
                f"topic {name}: partitions is {topic.partitions}, wanted {count}; the number is fixed for the life of "
                "the topics: set kafka.partitions to it, or `quantum-mlops kafka export` and import into new topics"
            )
        if topic.replicas < settings.replication_factor:
            yield (
                f"topic {name}: replication.factor is {topic.replicas}, wanted {settings.replication_factor}; "
                "mend: kafka-reassign-partitions.sh, or set kafka.replication_factor"
            )
        for setting, value in config.items():
            there = topic.settings.get(setting, "")
            if not fits(setting, there, value):
                yield (
                    f"topic {name}: {setting} is {there or 'not set'}, wanted {_bound(setting)}{value}; mend: "
                    f"kafka-configs.sh --bootstrap-server {settings.bootstrap_servers[0]} --alter "
                    f"--entity-type topics --entity-name {name} --add-config {setting}={value}"
                )


def fits(setting: str, found: str, value: str) -> bool:
    """Return whether a setting as found does for `value`.

    >>> fits("retention.ms", "-1", "1000"), fits("retention.ms", "999", "1000"), fits("segment.ms", "10", "20")
    (True, False, True)
    """
    if setting in _AT_LEAST | _AT_MOST:
        try:
            there, wanted_value = float(found), float(value)
        except ValueError:
            return False
        if setting == "retention.ms" and there < 0:
            return True  # for ever
        return there >= wanted_value if setting in _AT_LEAST else there <= wanted_value
    return found == value


def _bound(setting: str) -> str:
    return "at least " if setting in _AT_LEAST else "at most " if setting in _AT_MOST else ""
