"""Jobs and runs that stand still, fail or wait too long: JobStuck, JobFailureRate, QueueTimeSLO, RunSilent."""

from qml_processors.lifecycle.jobs import JobsProcessor
from qml_processors.lifecycle.runs import RunsProcessor

__all__ = ["JobsProcessor", "RunsProcessor"]
