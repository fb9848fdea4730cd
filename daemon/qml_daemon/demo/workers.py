"""The demo's two workers on Kafka: who of them has the run, the end of that one, and who has it then."""

import os
import time

from qml_daemon.configuration import read_config
from qml_daemon.demo.house import WORKERS, House
from qml_daemon.demo.progress import Progress
from qml_daemon.demo.watcher import PROJECT, Seen
from qml_daemon.kafka.access import ask_broker, kafka_settings, open_kafka
from quantum_mlops.transports.kafka.admin import describe_group
from quantum_mlops.transports.kafka.log import KafkaLog
from quantum_mlops.transports.kafka.settings import KafkaSettings
from quantum_mlops.transports.kafka.topics import Topics

_LOOK_SECONDS = 1.0


class Accident:
    """Kills the worker that has the run's partition, once, at a step; then watches until the other one has it.

    Args:
        house: where the workers live.
        progress: told what happens.
        at_step: when.

    """

    def __init__(self, house: House, progress: Progress, at_step: int) -> None:
        self._house = house
        self._progress = progress
        self._at_step = at_step
        self._settings = settings_of(house)
        self._killed: str | None = None
        self._killed_at = self._looked_at = 0.0
        self.takeover_seconds: float | None = None

    def look(self, seen: Seen) -> None:
        """Do what is due."""
        if self._killed is None:
            if seen.step is not None and seen.step >= self._at_step:
                self._kill(seen)
        elif self.takeover_seconds is None and time.monotonic() - self._looked_at > _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            owner = self._find_owner()
            if owner is not None and owner != self._killed:
                self.takeover_seconds = time.monotonic() - self._killed_at
                self._progress.say(f"      {owner} has its partitions after {self.takeover_seconds:.0f} s")

    def _kill(self, seen: Seen) -> None:
        owner = self._find_owner()
        if owner is None:
            return
        pid = self._house.kill(owner)
        self._killed, self._killed_at = owner, time.monotonic()
        self._progress.say(f"      {owner} (pid {pid}) has the run; killed with SIGKILL at step {seen.step}")

    def _find_owner(self) -> str | None:
        """Return the worker that has the partition of the project; None while nobody has."""
        topic = Topics(self._settings.topic_prefix).events
        log = open_kafka(self._settings, "demo")
        try:
            partition = log.partition_of(PROJECT)
        finally:
            log.close()
        members = ask_broker(self._settings, describe_group(self._settings, topic), "looking at the group")
        owners = [member.id for member in members if partition in member.partitions]
        return next((name for name in WORKERS for owner in owners if owner.startswith(f"{name}-")), None)


def settings_of(house: House) -> KafkaSettings:
    """Return how the demo reaches its Kafka."""
    return kafka_settings(read_config(house.config, os.environ))


def open_watched(house: House) -> KafkaLog:
    """Return the log, to look at."""
    return open_kafka(settings_of(house), "demo")
