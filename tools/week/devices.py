"""Three backends: how long they queue, how often they fail, what they measure, what they charge."""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from week.calendar import DAY, HOUR, MINUTE, THURSDAY, WEDNESDAY, at

Vector = np.ndarray


@dataclass
class Device:
    """One backend. Times in nanoseconds UTC, durations in seconds, prices in USD."""

    name: str
    provider: str
    seed: int
    queue_median_seconds: float
    queue_spread: float
    run_seconds: float
    per_second: Decimal = Decimal(0)
    per_shot: Decimal = Decimal(0)
    price_version: str = "2026-01"
    outcomes: Vector = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = np.random.default_rng(self.seed).dirichlet(np.full(16, 3.0))

    def queue_seconds(self, random: np.random.Generator) -> float:
        """Draw a waiting time: log-normal."""
        return float(self.queue_median_seconds * np.exp(self.queue_spread * random.normal()))

    def failure_share(self, time: int) -> float:
        """Return how likely a job fails: 2 %, and an outage of sherbrooke on Thursday afternoon."""
        if self.name == "ibm_sherbrooke" and at(THURSDAY, 15) <= time < at(THURSDAY, 16, 30):
            return 0.7
        return 0.02

    def canary(self, time: int) -> Vector:
        """Return the outcome distribution of the canary: a little different after each day's calibration at 04:00.

        On hanoi qubit 2 is dead from Wednesday 10:20 to Thursday's calibration: it always reads 0.
        """
        day = (time - 4 * HOUR) // DAY
        daily = np.random.default_rng([self.seed, day]).normal(size=16)
        found = self.outcomes * np.exp(0.03 * daily)
        if self.name == "ibm_hanoi" and at(WEDNESDAY, 10, 20) <= time < at(THURSDAY, 4):
            index = np.arange(16)
            alive = index & 0b0100 == 0
            found = np.where(alive, found + found[index ^ 0b0100], 0.0)
        return found / found.sum()

    def calibration_id(self, time: int) -> str:
        """Return the id of the day's calibration."""
        day = (time - 4 * HOUR) // DAY
        return f"k1:{np.random.default_rng([self.seed, day, 1]).bytes(8).hex()}"

    def price(self, shots: int, seconds: float, time: int) -> tuple[Decimal, str]:
        """Return what a job costs and the version of the price list; aria's shots cost 60 % more from Thursday on."""
        raised = self.name == "ionq_aria" and time >= at(THURSDAY, 0)
        per_shot = self.per_shot * (Decimal("1.6") if raised else 1)
        amount = per_shot * shots + self.per_second * Decimal(f"{seconds:.3f}")
        return amount.quantize(Decimal("0.0001")), "2026-03-05" if raised else self.price_version


HANOI = Device("ibm_hanoi", "ibm", 11, 40.0, 0.5, 6.0, per_second=Decimal("0.10"))
SHERBROOKE = Device("ibm_sherbrooke", "ibm", 12, 90.0, 0.5, 8.0, per_second=Decimal("0.10"))
ARIA = Device("ionq_aria", "ionq", 13, 6 * MINUTE / 1e9, 0.4, 20.0, per_shot=Decimal("0.002"))
