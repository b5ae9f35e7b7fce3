"""Differences of AUC where one label is scarce: its cases give the degrees of freedom, and too few say nothing."""

import numpy as np
import pytest

from gengap.analysis.comparison.comparison import compare
from gengap.analysis.diagnosis.verify import verify
from gengap.errors import DataError
from gengap.reporting.languages import get_language
from gengap.reporting.material import Material
from gengap.reporting.sections.measures import measures_table
from gengap.results import Result


def study(rng, events, *, cases=300, seeds=8, groups=None, swap=False):
    """Two exchangeable forecasters, whose cases and seeds are drawn anew."""
    y = (np.arange(cases) < events).astype(int)
    noise = rng.normal(size=(2, 1, cases)) + 0.5 * rng.normal(size=(2, seeds, cases))
    p = 1 / (1 + np.exp(-(1.5 * y + noise)))
    if swap:
        y, p = 1 - y, 1 - p
    return Result.from_predictions(
        y, dict(zip(("baseline", "twin"), p, strict=True)), task="binary", score="log_loss", groups=groups
    )


@pytest.mark.slow
@pytest.mark.parametrize("events", [5, 10])
def test_exchangeable_forecasters_rarely_differ(events):
    """With the degrees of freedom of all cases 9 % of such studies held a verdict."""
    rng = np.random.default_rng(events)
    said = sum(
        compare(study(rng, events, cases=120), score="roc_auc")["twin"].verdict.kind != "cannot say" for _ in range(100)
    )
    assert said <= 8  # 4.5 % are meant


@pytest.mark.parametrize("events", [1, 2, 3, 4])
@pytest.mark.parametrize("swap", [False, True])
def test_too_few_are_refused_in_a_sentence(events, swap):
    result = study(np.random.default_rng(0), events, swap=swap)
    given = f"{300 - events} and {events}" if swap else f"{events} and {300 - events}"
    with pytest.raises(DataError, match=f"Differences of AUC need 5 events .* received {given}: compare on `log_loss`"):
        compare(result, score="roc_auc")
    assert np.isfinite(verify(result)["roc_auc"]).all()  # the areas themselves are known


def test_the_report_shows_the_area_of_few_events_without_an_interval():
    few, enough = (measures_table(Material(study(np.random.default_rng(1), n), get_language("en"))) for n in (3, 30))
    for table, shown in ((few, False), (enough, True)):
        at = table["names"].index("roc_auc")
        for _, cells in table["rows"]:
            assert np.isfinite(cells[at].value)
            assert ("[" in cells[at].text) is shown


def test_groups_count_as_groups():
    """Twelve events in three groups are three."""
    groups = np.arange(300) // 4
    with pytest.raises(DataError, match=r"need 5 groups that hold events .* received 3 and 72"):
        compare(study(np.random.default_rng(2), 12, groups=groups), score="roc_auc")
    found = compare(study(np.random.default_rng(2), 40, groups=groups), score="roc_auc")["twin"]
    assert "only 10 independent units with the scarcer label" in found.warnings


def test_the_scarcer_label_decides_and_swapping_the_labels_changes_nothing():
    one, other = (
        compare(study(np.random.default_rng(3), 8, swap=swap), score="roc_auc")["twin"] for swap in (False, True)
    )
    assert (one.low, one.high, one.p) == pytest.approx((other.low, other.high, other.p))
    assert "only 8 independent units with the scarcer label" in one.warnings
    assert one.verdict.advice is None or one.verdict.advice.cases is None or one.verdict.advice.cases > 300


def test_few_events_on_validation_do_not_stop_a_comparison_on_test():
    """The winner is chosen on validation; its mean is all that is asked of it."""
    import dataclasses

    result, tiny = study(np.random.default_rng(4), 30), study(np.random.default_rng(5), 2)
    found = compare(dataclasses.replace(result, validation=tiny.test), score="roc_auc")
    assert found["twin"].seeds == 8
