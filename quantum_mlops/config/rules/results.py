"""Whether to say that results are wrong."""

from msgspec import Struct

from quantum_mlops.config.rules.names import Severity


class ResultsRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """ResultsWrong: an emitter knows that what a job returns is not what was measured.

    >>> ResultsRule(severity="warning").enabled
    True
    """

    enabled: bool = True
    severity: Severity = "critical"
