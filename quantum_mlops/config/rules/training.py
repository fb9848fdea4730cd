"""What a training must not do."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from quantum_mlops.config.duration import Duration
from quantum_mlops.config.rules.names import Severity

TrainingFinding = Literal["LossNaN", "GradientExplosion", "BarrenPlateau", "TrainingStalled"]


def _loss_metrics() -> list[str]:
    return ["loss", "train_loss", "objective", "energy"]


class TrainingRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """LossNaN, GradientExplosion, BarrenPlateau and TrainingStalled, for each run by itself.

    The first of `loss_metrics` that a run logs is its loss: the smaller, the better. `off` names findings
    that are not wanted. `min_improvement` is a share of the loss: a change below it is none, whatever the noise.

    GradientExplosion: `false_alarms` is the declared rate per run and gradient; the norm must also exceed
    `explosion_factor` times its own median. BarrenPlateau: `plateau_steps` gradients in a row vanish (also:
    a component below `plateau_gradient` times the loss). TrainingStalled: `stall_steps` losses, and at least
    `stall_time` by the emitter's clock; a loss that once moved is taken for converged unless
    `stall_after_improvement`.

    >>> TrainingRule(stall_steps=500).loss_metrics
    ['loss', 'train_loss', 'objective', 'energy']
    """

    enabled: bool = True
    off: list[TrainingFinding] = field(default_factory=list)
    loss_metrics: Annotated[list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(max_length=32)] = field(
        default_factory=_loss_metrics
    )
    min_improvement: Annotated[float, Meta(ge=0.0, le=1.0)] = 1e-4
    false_alarms: str = "1 per 10000 observations"
    explosion_factor: Annotated[float, Meta(ge=2.0, le=1e6)] = 10.0
    plateau_steps: Annotated[int, Meta(ge=20, le=1_000_000)] = 100
    plateau_gradient: Annotated[float, Meta(ge=0.0, le=1.0)] = 1e-4
    stall_steps: Annotated[int, Meta(ge=20, le=1_000_000)] = 200
    stall_time: Duration = "0s"
    stall_after_improvement: bool = False
    loss_nan_severity: Severity = "critical"
    explosion_severity: Severity = "warning"
    plateau_severity: Severity = "warning"
    stall_severity: Severity = "info"
