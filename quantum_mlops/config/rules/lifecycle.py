"""Jobs and runs that stand still, fail or wait too long."""

from msgspec import Struct


class LifecycleRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """JobStuck, JobFailureRate, QueueTimeSLO and RunSilent."""

    enabled: bool = True
