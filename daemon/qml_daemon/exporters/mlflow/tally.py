"""What the exporter counts."""

import logging

from qml_daemon.exporters.base import Figures
from qml_daemon.exporters.mlflow.entries import Batch, Target
from quantum_mlops.clock import Clock
from quantum_mlops.errors import DeliveryError

_SAME = 60
_logger = logging.getLogger(__name__)


class Tally:
    """Counts since the start, and the last words of the server. Each new kind of error is logged once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sent = {"metrics": 0, "params": 0, "tags": 0, "runs": 0, "ends": 0, "conflicting_params": 0}
        self.calls = self.writes = self.refused = self.retries = 0
        self.last_success: int | None = None
        self._refusal: str | None = None
        self._error: str | None = None
        self._error_time: int | None = None

    def count_batch(self, batch: Batch) -> None:
        """Count what was written by a call."""
        self.writes += 1
        for kind in ("metrics", "params", "tags"):
            self.sent[kind] += len(getattr(batch, kind))

    def succeed(self) -> None:
        """Count a call that the server took."""
        self.last_success = self._clock()

    def fail(self, error: DeliveryError) -> None:
        """Count a call that is tried again."""
        if self._error is None or str(error)[:_SAME] != self._error[:_SAME]:
            _logger.warning("MLflow: %s; trying again", error)
        self.retries += 1
        self._error, self._error_time = str(error), self._clock()

    def refuse(self, target: Target, count: int, reason: str) -> None:
        """Count what is left behind."""
        if self._refusal is None or reason[:_SAME] != self._refusal[:_SAME]:
            run = f"{target.project}/{target.name}"
            _logger.warning("MLflow: %d entries of %s are left behind: %s", count, run, reason)
        self.refused += count
        self._refusal = reason

    def figures(self, waiting: int, notes: list[str]) -> Figures:
        """Return all of it."""
        return Figures(
            sent=dict(self.sent),
            calls=self.calls,
            waiting=waiting,
            refused=self.refused,
            retries=self.retries,
            last_success=self.last_success,
            last_refusal=self._refusal,
            last_error=self._error,
            last_error_time=self._error_time,
            notes=notes,
        )
