"""Where the processors run: in this process (`Embedded`), or in workers somewhere else (`Elsewhere`).

The daemon's loop asks one face for both, so that nothing else in it knows the difference. What was counted
elsewhere is absent here, never 0.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from qml_processors.runner import Runner
from qml_processors.runner.collector import settle
from qml_processors.runner.counts import RunnerStats
from qml_processors.runner.rules_log import Known
from qml_processors.runner.rules_schedule import Config as KnownConfig
from quantum_mlops.config.rules import Rules
from quantum_mlops.stats import parse_rate, threshold

_logger = logging.getLogger(__name__)


class Processing(Known, Protocol):
    """The processors as the daemon's loop sees them. One thread."""

    def start(self, rules: Rules) -> None:
        """Recover what they knew.

        Raises:
            LogError: the log failed.

        """
        ...

    def process_batch(self, limit: int) -> int:
        """Let them work on up to `limit` records and timers of each partition; return how many. Idle: 0.

        Raises:
            LogError: the log failed; nothing of the batch is visible.

        """
        ...

    def waits_for_time(self) -> bool:
        """Return whether some series may wait for the time, so that ticks must not be rare."""
        ...

    def stats(self) -> RunnerStats | None:
        """Return what they counted; None where that is not known here."""
        ...

    def close(self) -> None:
        """Store what they know. Idempotent; the log stays open."""
        ...


class Embedded:
    """The processors run here, over every partition.

    Args:
        runner: not opened yet.
        partitions: how many the log has.

    """

    def __init__(self, runner: Runner, partitions: int) -> None:
        self._runner = runner
        self._partitions = partitions
        self.known_configs = runner.known_configs
        self.now = runner.now
        self.process_batch = runner.process_batch
        self.stats = runner.stats
        self.close = runner.close

    def start(self, rules: Rules) -> None:
        """Open every partition; one that is given up is said, and the others go on."""
        threshold(parse_rate(rules.drift.false_alarms))  # loads numpy now, not in the first batch
        for partition in range(self._partitions):
            if not self._runner.open(partition):
                reason = self._runner.stats().partitions[partition].given_up
                _logger.error("partition %d is not processed: %s", partition, reason)
        settle()

    def waits_for_time(self) -> bool:
        """Return whether a timer is armed."""
        return any(partition.timers for partition in self._runner.stats().partitions)


class Clocked(Protocol):
    """A log that knows how far its clock is without being processed here."""

    def latest_time(self) -> int:
        """Return the greatest `ingestedtime` at the ends of the partitions of events; 0 where all are empty."""
        ...


class Elsewhere:
    """Workers process: nothing to do here, and nothing is known but the rules, which the log's own cursors keep."""

    def __init__(self, log: Clocked) -> None:
        self.now = log.latest_time

    def start(self, rules: Rules) -> None:
        """Do nothing: whoever owns a partition recovers it."""

    def known_configs(self) -> Mapping[int, Sequence[KnownConfig]]:
        """Return nothing: which partition was given which rules is a cursor of the log."""
        return {}

    def process_batch(self, limit: int) -> int:  # noqa: ARG002 - the signature of the seam
        """Do nothing."""
        return 0

    def waits_for_time(self) -> bool:
        """Return True: it cannot be known here, and a worker's timers wait for nothing but ticks."""
        return True

    def stats(self) -> None:
        """Return None: workers tell their own figures."""

    def close(self) -> None:
        """Do nothing."""
