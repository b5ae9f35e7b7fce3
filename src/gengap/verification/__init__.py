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
from gengap.verification.ensemble import (
    PitHistogram,
    RankHistogram,
    case_crps_ensemble,
    crps_ensemble,
    crps_normal,
    ensemble_pit,
    pit_histogram,
    rank_histogram,
)
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
from gengap.verification.regression import (
    absolute_error,
    interval_coverage,
    interval_score,
    quantile_score,
    squared_error,
    squared_error_skill_score,
)
from gengap.verification.scores import SCORES, Score, influence, score_difference, score_interval
from gengap.verification.spread import (
    DiscardCurve,
    SpreadSkillCurve,
    discard_curve,
    spread_skill_curve,
    spread_skill_ratio,
)

__all__ = [
    "SCORES",
    "BestThreshold",
    "Contingency",
    "ContingencyScore",
    "DiscardCurve",
    "Estimate",
    "PerformanceCurve",
    "PitHistogram",
    "RankHistogram",
    "RankedForecasts",
    "RocCurve",
    "Score",
    "SpreadSkillCurve",
    "absolute_error",
    "best_threshold",
    "brier_score",
    "brier_skill_score",
    "case_absolute_errors",
    "case_brier_scores",
    "case_crps_ensemble",
    "case_interval_scores",
    "case_log_losses",
    "case_quantile_scores",
    "case_ranked_probability_scores",
    "case_squared_errors",
    "contingency",
    "crps_ensemble",
    "crps_normal",
    "discard_curve",
    "ensemble_pit",
    "influence",
    "interval_coverage",
    "interval_score",
    "log_loss",
    "performance_curve",
    "pit_histogram",
    "placements",
    "quantile_score",
    "rank_histogram",
    "ranked_probability_score",
    "roc_auc",
    "roc_curve",
    "score_difference",
    "score_interval",
    "spread_skill_curve",
    "spread_skill_ratio",
    "squared_error",
    "squared_error_skill_score",
]
