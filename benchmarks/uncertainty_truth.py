"""How far each distribution covers the true probability, which the generator of synthetic storms knows."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

import gengap as gg
from gengap.analysis.uncertainty import PredictiveDistribution, classifier_uncertainty
from gengap.sampling import choose_rate, predict_distribution
from gengap.verification import brier_score
from gengap_examples import synthetic_storms
from uncertainty_speed import storm_net

SIZES = {"n_train": 2000, "n_validation": 1000, "n_test": 1000}
SETTINGS = {"epochs": 6, "batch_size": 64}
SEEDS = 6
MEMBERS = 200
FILTERS = (8, 16, 32)
"""Half the width of T2.2, so that six networks train in about a minute on two cores."""


def truth() -> dict[str, Any]:
    """Train one study on synthetic storms; judge dropout, its chosen rate, the deep ensemble, and both together."""
    began = time.perf_counter()
    data = synthetic_storms(**SIZES)
    result = gg.Study(storm_net(FILTERS), seeds=SEEDS).run(data, **SETTINGS)
    trained = time.perf_counter()
    assert data.test is not None
    x = data.test.x
    network = result.model(result.baseline)
    choice = choose_rate(network, data.validation, test_data=data.test, num_members=50, progress=False)
    common: dict[str, Any] = {"num_members": MEMBERS, "progress": False}
    distributions = {
        "dropout, one network": predict_distribution(network, x, **common),
        "the same, rate chosen on validation": predict_distribution(network, x, rate=choice.rates, **common),
        "deep ensemble": predict_distribution(result, x, method="ensemble", **common),
        "deep ensemble x dropout": predict_distribution(result, x, method="ensemble+dropout", **common),
    }
    return {
        "sizes": SIZES,
        "settings": SETTINGS | {"seeds": SEEDS, "members": MEMBERS, "filters": FILTERS},
        "seconds": {"training": trained - began, "sampling and judging": time.perf_counter() - trained},
        "brier score of the truth": brier_score(data.test.y, data.truth["test"]),
        "distributions": {name: _judge(data, result, one) for name, one in distributions.items()},
        "chosen rates": dict(choice.rates),
        "findings": list(choice.findings),
        "sweep": choice.table.to_dict(),
    }


def _judge(data: Any, result: Any, distribution: PredictiveDistribution) -> Mapping[str, float]:
    known = data.truth["test"]
    others = result.test["prediction_best"].sel(variant=result.baseline)
    others = others.sel(seed=[seed for seed in result.seeds if seed != result.median_seed(result.baseline)])
    one_network = "ensemble" not in distribution.settings["method"]
    judged = classifier_uncertainty(
        data.test.y,
        distribution,
        true_probability=known,
        other_seeds=others.to_numpy() if one_network else None,
        groups=data.test.groups,
    )
    ends = distribution.interval(0.9).values
    error = distribution.mean.values - known
    split = distribution.variance()
    return dict(judged.summary()) | {
        "root-mean-square error of the mean forecast against the truth": float(np.sqrt((error**2).mean())),
        "root-mean-square spread": float(np.sqrt(split["total"].mean())),
        "share of the variance between networks": float(split["between"].mean() / split["total"].mean()),
        "width at 90%": float((ends[:, 1] - ends[:, 0]).mean()),
    }
