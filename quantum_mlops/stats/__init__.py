"""The mathematics of the processors: one standardised score per observation, then one chart. One file a method.

Everything is pure. What runs once per event needs neither numpy nor scipy; designs and intervals load them when called.
"""

from quantum_mlops.stats.between_epoch import Epochs, add_observation, null_effect
from quantum_mlops.stats.binomial import clopper_pearson, count_limits
from quantum_mlops.stats.cusum import REFERENCE_VALUE, Cusum, average_run_length, threshold, update
from quantum_mlops.stats.false_alarms import parse_rate
from quantum_mlops.stats.hellinger import Distance, estimate_distance, hellinger_distance, noise_floor
from quantum_mlops.stats.histogram import Cells, Histogram, chi_square, divergence, homogeneity, pair
from quantum_mlops.stats.minimum_effect import null_noncentrality, score
from quantum_mlops.stats.noncentral import normal_score, quantile, tails
from quantum_mlops.stats.normal_scores import rank_score
from quantum_mlops.stats.pareto_tail import LEAST_OBSERVATIONS, ParetoTail, fit_tail, tail_quantile
from quantum_mlops.stats.prediction import Prediction, predict_sum

__all__ = [
    "LEAST_OBSERVATIONS",
    "REFERENCE_VALUE",
    "Cells",
    "Cusum",
    "Distance",
    "Epochs",
    "Histogram",
    "ParetoTail",
    "Prediction",
    "add_observation",
    "average_run_length",
    "chi_square",
    "clopper_pearson",
    "count_limits",
    "divergence",
    "estimate_distance",
    "fit_tail",
    "hellinger_distance",
    "homogeneity",
    "noise_floor",
    "normal_score",
    "null_effect",
    "null_noncentrality",
    "pair",
    "parse_rate",
    "predict_sum",
    "quantile",
    "rank_score",
    "score",
    "tail_quantile",
    "tails",
    "threshold",
    "update",
]
