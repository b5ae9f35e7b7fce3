"""Verification of forecasts: scores and curves in scikit-learn's manners, exact, with intervals.

Truth first: `(y_true, y_prob)`, `(y_true, y_pred)`. NumPy and SciPy at heart; scikit-learn where it is asked for.
"""

from gengap.verification.bands import RocBand, consistency_bars, roc_band
from gengap.verification.contingency import (
    BestThreshold,
    Contingency,
    ContingencyScore,
    best_threshold,
    contingency,
)
from gengap.verification.curves import PerformanceCurve, RocCurve, performance_curve, roc_curve
from gengap.verification.decomposition import (
    CorpDecomposition,
    MurphyDecomposition,
    ReliabilityBins,
    corp_decomposition,
    murphy_decomposition,
)
from gengap.verification.discrimination import placements, roc_auc
from gengap.verification.ensemble import (
    PitHistogram,
    RankHistogram,
    case_crps_ensemble,
    crps_distribution,
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
from gengap.verification.overview import BinaryOverview, verify_binary
from gengap.verification.probability import brier_score, brier_skill_score, log_loss, ranked_probability_score
from gengap.verification.ranking import RankedForecasts
from gengap.verification.recalibration import (
    Isotonic,
    Platt,
    Recalibration,
    RecalibrationEffect,
    Temperature,
    recalibration_effect,
)
from gengap.verification.regression import (
    absolute_error,
    interval_coverage,
    interval_score,
    quantile_score,
    squared_error,
    squared_error_skill_score,
)
from gengap.verification.reliability import (
    ReliabilityCurve,
    TopLabel,
    expected_calibration_error,
    one_vs_rest,
    reliability_bins,
    reliability_curve,
    top_label,
)
from gengap.verification.resampling import BootstrapDistribution, bootstrap_counts, bootstrap_scores
from gengap.verification.scores import SCORES, Score, influence, score_difference, score_interval
from gengap.verification.spread import (
    DiscardCurve,
    SpreadSkillCurve,
    discard_curve,
    spread_skill_curve,
    spread_skill_ratio,
)
from gengap.verification.summary import ScoresBlock, scores_block

__all__ = [
    "SCORES",
    "BestThreshold",
    "BinaryOverview",
    "BootstrapDistribution",
    "Contingency",
    "ContingencyScore",
    "CorpDecomposition",
    "DiscardCurve",
    "Estimate",
    "Isotonic",
    "MurphyDecomposition",
    "PerformanceCurve",
    "PitHistogram",
    "Platt",
    "RankHistogram",
    "RankedForecasts",
    "Recalibration",
    "RecalibrationEffect",
    "ReliabilityBins",
    "ReliabilityCurve",
    "RocBand",
    "RocCurve",
    "Score",
    "ScoresBlock",
    "SpreadSkillCurve",
    "Temperature",
    "TopLabel",
    "absolute_error",
    "best_threshold",
    "bootstrap_counts",
    "bootstrap_scores",
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
    "consistency_bars",
    "contingency",
    "corp_decomposition",
    "crps_distribution",
    "crps_ensemble",
    "crps_normal",
    "discard_curve",
    "ensemble_pit",
    "expected_calibration_error",
    "influence",
    "interval_coverage",
    "interval_score",
    "log_loss",
    "murphy_decomposition",
    "one_vs_rest",
    "performance_curve",
    "pit_histogram",
    "placements",
    "quantile_score",
    "rank_histogram",
    "ranked_probability_score",
    "recalibration_effect",
    "reliability_bins",
    "reliability_curve",
    "roc_auc",
    "roc_band",
    "roc_curve",
    "score_difference",
    "score_interval",
    "scores_block",
    "spread_skill_curve",
    "spread_skill_ratio",
    "squared_error",
    "squared_error_skill_score",
    "top_label",
    "verify_binary",
]
