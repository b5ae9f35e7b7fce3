"""Verification of forecasts: scores and curves in scikit-learn's manners, exact, with intervals.

Truth first: `(y_true, y_prob)`, `(y_true, y_pred)`. NumPy and SciPy at heart; scikit-learn where it is asked for.
"""

from gengap.verification.contingency import (
    BestThreshold,
    Contingency,
    ContingencyScore,
    best_threshold,
    contingency,
)
from gengap.verification.curves import PerformanceCurve, RocCurve, performance_curve, roc_curve
from gengap.verification.discrimination import placements, roc_auc
from gengap.verification.estimates import Estimate
from gengap.verification.losses import (
    case_absolute_errors,
    case_brier_scores,
    case_interval_scores,
    case_log_losses,
    case_quantile_scores,
    case_ranked_probability_scores,
    case_squared_errors,
)
from gengap.verification.probability import brier_score, brier_skill_score, log_loss, ranked_probability_score
from gengap.verification.ranking import RankedForecasts

__all__ = [
    "BestThreshold",
    "Contingency",
    "ContingencyScore",
    "Estimate",
    "PerformanceCurve",
    "RankedForecasts",
    "RocCurve",
    "best_threshold",
    "brier_score",
    "brier_skill_score",
    "case_absolute_errors",
    "case_brier_scores",
    "case_interval_scores",
    "case_log_losses",
    "case_quantile_scores",
    "case_ranked_probability_scores",
    "case_squared_errors",
    "contingency",
    "log_loss",
    "performance_curve",
    "placements",
    "ranked_probability_score",
    "roc_auc",
    "roc_curve",
]
