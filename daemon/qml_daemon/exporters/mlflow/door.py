"""What the exporter asks of a tracking server; client.py is the one that really asks."""

from typing import Protocol

from qml_daemon.exporters.mlflow.entries import Batch, End, Remote, Target
from quantum_mlops.errors import RetryableError


class UnreachableError(RetryableError):
    """The server did not answer: no run can be written to, so all wait."""


class Door(Protocol):
    """Every method is one call, and blocks for 10 s at most.

    All raise PermanentError where the server will never take this, RetryableError where it may later,
    and UnreachableError where it does not answer.
    """

    def read_run(self, run_id: str) -> Remote | None:
        """Return a run, None where the server has none of that id."""
        ...

    def find_run(self, target: Target) -> Remote | None:
        """Return the run that was made for a target before, or None."""
        ...

    def create_run(self, target: Target, started_ms: int) -> Remote:
        """Make the run of a target, in the experiment of its project."""
        ...

    def write(self, run_id: str, batch: Batch) -> None:
        """Write a batch, whole or not at all."""
        ...

    def end(self, run_id: str, end: End) -> None:
        """Say that a run has ended. Idempotent."""
        ...
