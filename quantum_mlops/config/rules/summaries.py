"""What is summed up, and when."""

from msgspec import Struct

from quantum_mlops.config.duration import Duration


class SummariesRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Summaries of runs and of windows of `window` length."""

    enabled: bool = True
    window: Duration = "1m"
