"""LossNaN, GradientExplosion, BarrenPlateau and TrainingStalled."""

from qml_processors.training.processor import TrainingProcessor

__all__ = ["TrainingProcessor"]
