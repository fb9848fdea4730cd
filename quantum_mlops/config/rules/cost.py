"""What jobs may cost."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules.names import RuleName, Severity

Money = Annotated[str, Meta(pattern=r"^\d{1,20}(\.\d{1,12})?$")]
"""An amount as decimal text, such as "12.50"; never a binary number."""
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


CostFinding = Literal["CostCap", "CostSpike", "BudgetBurn", "SpendForecast", "CostUnknown"]


class Cap(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hard cap: CostCap opens at once when a job, a run or a project's day (UTC) costs more than `amount`.

    What a job reserves or is estimated at counts until its bill is known. Of several caps on the same thing in
    the same currency the smallest holds. `project` limits the cap to one project.

    >>> Cap(per="job", amount="50", currency="USD").severity
    'critical'
    """

    per: Literal["job", "run", "day"]
    amount: Money
    currency: Currency
    project: str | None = None
    severity: Severity = "critical"


class Budget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a project may spend in a day, a week (from Monday), a month (all UTC) or in total.

    BudgetBurn opens when it is being spent too fast to last or is gone, SpendForecast when the days so far foretell
    more than `amount` for the period. `project` limits the budget to one project; without it each project has it.

    >>> Budget(name="November", amount="1000", currency="EUR").period
    'month'
    """

    name: RuleName
    amount: Money
    currency: Currency
    period: Literal["day", "week", "month", "total"] = "month"
    project: str | None = None
    severity: Severity = "warning"


class CostRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """CostCap, CostSpike, BudgetBurn and SpendForecast; `off` names findings that are not wanted.

    `false_alarms` is the declared rate of CostSpike for each backend of a project, all its causes together.
    `minimum_ratio` is the least rise that is worth a finding. `idle_session` is how long an open session may
    idle. After `relearn_after` an open CostSpike takes the new level as usual.
    """

    enabled: bool = True
    off: list[CostFinding] = field(default_factory=list)
    caps: Annotated[list[Cap], Meta(max_length=64)] = field(default_factory=list)
    budgets: Annotated[list[Budget], Meta(max_length=32)] = field(default_factory=list)
    false_alarms: str = "1 per 10000 observations"
    minimum_ratio: Annotated[float, Meta(gt=1.0, le=1000.0)] = 1.5
    idle_session: Duration = "10m"
    relearn_after: Duration = "7d"
    severity: Severity = "warning"
