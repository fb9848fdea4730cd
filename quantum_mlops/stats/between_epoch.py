"""The effect that recalibrations have anyway: how far the null widens once a device has shown its epochs.

A baseline carries over recalibrations, and every calibration epoch sits at some distance from it: shot noise alone is
not the in-control variance (a random effect; compare DerSimonian & Laird 1986, Controlled Clinical Trials 7:177, for
the moment estimate used per epoch). Until `EPOCHS_NEEDED` epochs are complete nothing is known about that distance and
the declared minimum effect stands in for it. Afterwards the null is the typical distance that was seen, if that is
larger. "Typical" is the median, so that a minority of bad epochs, which are what must be found, cannot hide the next.
"""

import math
from statistics import median

import msgspec

EPOCHS_NEEDED = 5
"""Complete epochs before their distances count."""

EPOCHS_KEPT = 64
"""The newest epochs that are remembered."""


class Epochs(msgspec.Struct, gc=False):
    """What the calibration epochs of one series have shown.

    Attributes:
        epoch: Identity of the running epoch, empty before the first.
        excess: Sum over its observations of statistic minus degrees of freedom.
        weight: Sum over its observations of 8 * effective shots.
        effects: Squared Hellinger distance of each complete epoch from the reference, oldest first, freed of shot
            noise in the mean, hence possibly negative.
    """

    epoch: str = ""
    excess: float = 0.0
    weight: float = 0.0
    effects: list[float] = msgspec.field(default_factory=list)


def add_observation(state: Epochs, epoch: str, statistic: float, df: int, effective_shots: float) -> None:
    """Add one observation's `homogeneity` statistic; a new epoch identity completes the running epoch.

    The statistic has mean df + 8 * effective_shots * H^2, so the quotient of the sums estimates H^2 without bias.
    While a finding is open, leave its later epochs out: a long incident would otherwise become the usual.

    Examples:
        >>> epochs = Epochs()
        >>> for epoch, statistic in (("a", 15.0), ("a", 17.0), ("b", 40.0)):
        ...     add_observation(epochs, epoch, statistic, 15, 4096.0)
        >>> epochs.epoch, epochs.excess, [round(effect, 7) for effect in epochs.effects]
        ('b', 25.0, [3.05e-05])
    """
    if epoch != state.epoch:
        if state.weight > 0:
            state.effects.append(state.excess / state.weight)
            del state.effects[:-EPOCHS_KEPT]
        state.epoch, state.excess, state.weight = epoch, 0.0, 0.0
    state.excess += statistic - df
    state.weight += 8 * effective_shots


def null_effect(state: Epochs, minimum_effect: float) -> float:
    """Hellinger distance of the null: the minimum effect, or the median distance of the complete epochs if larger.

    Examples:
        >>> null_effect(Epochs(effects=[0.01, 0.01, 0.01, 0.01]), 0.05)
        0.05
        >>> null_effect(Epochs(effects=[0.0, 0.01, 0.01, 0.01, 0.2]), 0.05)
        0.1
    """
    if len(state.effects) < EPOCHS_NEEDED:
        return minimum_effect
    return max(minimum_effect, math.sqrt(max(0.0, median(state.effects))))
