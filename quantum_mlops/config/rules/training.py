"""What a training must not do."""

from msgspec import Struct


class TrainingRule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """LossNaN, GradientExplosion, BarrenPlateau and TrainingStalled."""

    enabled: bool = True
