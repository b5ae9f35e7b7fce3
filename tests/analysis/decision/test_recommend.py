"""What is recommended, why, and what is said where little is known."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from gengap.analysis import recommend
from gengap.analysis.curves import stopping_epochs
from gengap.analysis.decision.choosing import choose
from gengap.analysis.decision.options import Option, Rule, stopped_at
from gengap.errors import DataError, UnknownNameError
from gengap.results import Result


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def trained(
    names=("baseline", "l2"), *, seeds=6, epochs=12, cases=120, rise=0.03, ahead=0.0, parameters=None, test=True
):
    """A binary result whose forecasts of every epoch hang together with its curves."""
    rng = np.random.default_rng(5)
    strength = 2 * np.exp(-((np.arange(epochs) - 4.0) ** 2) * rise)  # forecasts are sharpest and best at epoch 5
    coords = {"variant": list(names), "seed": np.arange(seeds), "epoch": np.arange(1, epochs + 1)}
    dims = (*coords, "sample")
    curves, splits = None, []
    for truth in rng.integers(0, 2, (2, cases)):
        noise = rng.normal(size=(len(names), seeds, 1, cases)) * 0.2 + rng.normal(size=cases)
        edge = strength[:, None] + ahead * np.arange(len(names))[:, None, None, None]
        p = 1 / (1 + np.exp(-(edge * (2 * truth - 1) + noise)))
        if curves is None:
            curves = -np.log(np.where(truth == 1, p, 1 - p)).mean(-1)
        at_best = np.take_along_axis(p, curves.argmin(-1)[..., None, None], axis=2)[:, :, 0]
        arrays = {
            "prediction_epochs": (dims, p.astype(np.float16)),
            "prediction_last": ((*dims[:2], "sample"), p[:, :, -1]),
            "prediction_best": ((*dims[:2], "sample"), at_best),
            "y_true": ("sample", truth),
        }
        splits.append(xr.Dataset(arrays, coords=coords))
    both = {"val_score": (dims[:3], curves), "train_score": (dims[:3], curves - 0.05)}
    best = curves.argmin(-1) + 1
    size = np.broadcast_to(np.asarray(parameters or [100] * len(names))[:, None], best.shape)
    facts = {"best_epoch": best, "epochs": np.full(best.shape, epochs), "parameters": size}
    runs = xr.Dataset({name: (dims[:2], values) for name, values in facts.items()}, coords=coords).drop_vars("epoch")
    manifest = {"format": 1, "task": "binary", "score": "log_loss", "primary": {"score": "log_loss", "epoch": "best"},
                "seeds": list(range(seeds)), "variants": {name: {} for name in names}, "data": {}}  # fmt: skip
    return Result(xr.Dataset(both, coords=coords), runs, splits[0], splits[1] if test else xr.Dataset(), manifest)


def flat(losses, simulate, **manifest):
    return simulate.result_from_losses(
        {name: np.asarray(values, dtype=float) for name, values in losses.items()}, **manifest
    )


def said(found):
    return "\n".join(map(str, found.messages))


def test_stopping_early_is_a_remedy():
    found = recommend(trained())
    assert {str(one.rule) for one in found.options} == {"best epoch", "last epoch"}
    assert found.choice.rule.name == "best"
    assert {(one.variant, one.rule.name) for one in found.excluded} >= {("baseline", "last"), ("l2", "last")}
    assert "given this training set" in said(found)
    if found.choice.variant == "baseline":
        assert f"Stop near epoch {round(found.choice.epoch)}" in said(found)


def test_within_the_tolerance_fewer_parameters_win_and_it_is_said():
    result = trained(("large", "small"), ahead=0.0, parameters=[1000, 10])
    scores = {(o.variant, o.rule.name): o.score for o in recommend(result).options}
    apart = abs(scores["large", "best"] - scores["small", "best"])
    found = recommend(result, tolerance=2 * apart + 1e-6)
    assert found.choice.variant == "small"
    if found.leader.variant == "large":
        assert found.reason == "parameters"
        assert "fewer parameters than large" in said(found)
    assert recommend(result, tolerance=0).choice == recommend(result, tolerance=0).leader


@pytest.mark.parametrize(
    ("cheap", "reason"), [("parameters", "parameters"), ("epoch", "epochs"), ("gap", "gap"), (None, "best")]
)
def test_what_is_cheaper_is_said(cheap, reason):
    one = Option("one", Rule("best"), 0.305, 9.0, 100, 0.2, 0)
    other = replace(one, variant="two", score=0.3)
    if cheap:
        one = replace(one, **{cheap: type(getattr(one, cheap))(getattr(one, cheap) / 2)})
        found = choose([other, one], tolerance=0.01, larger_is_better=False)
        assert (found.chosen, found.leader, found.reason) == (1, 0, reason)
        assert choose([other, one], tolerance=0.001, larger_is_better=False).reason == "best"
    else:  # equal in cost: the better mean wins
        found = choose([one, other], tolerance=0.01, larger_is_better=False)
        assert (found.chosen, found.reason) == (1, reason)


def test_what_a_search_found_as_good_does_not_replace_the_model_as_it_is():
    found = trained(("baseline", "dropout(0.3)"), ahead=0.0)
    searched = replace(found, manifest={**found.manifest, "search": {}})
    advice = recommend(searched, tolerance=10.0)
    assert advice.choice.variant == "baseline"
    if advice.leader.variant != "baseline":
        assert "It is the model as it is" in said(advice)
    one = Option("baseline", Rule("best"), 0.305, 9.0, 100, 0.2, 0)
    other = replace(one, variant="dropout(0.3)", score=0.3, epoch=5.0, gap=0.1)
    reference = replace(other, variant="ridge regression", epoch=None, gap=None, parameters=None)
    how = {"larger_is_better": False, "kept": ("baseline", "ridge regression")}
    assert choose([one, other], tolerance=0.001, **how).chosen == 1, "better by more than does not matter"
    assert choose([one, other], tolerance=0.01, **how).reason == "unchanged"
    smaller = replace(other, score=0.31, parameters=50)
    assert choose([one, smaller], tolerance=0.01, **how).reason == "parameters"
    assert choose([one, reference], tolerance=0.01, **how).chosen == 1, "a reference is no change of the network"


def test_larger_scores_are_better_where_they_are():
    result = trained(ahead=2.0)
    assert recommend(result, score="roc_auc", tolerance=0).choice.variant == "l2"
    assert recommend(result, score="log_loss", tolerance=0).choice.variant == "l2"
    assert "larger is better" in said(recommend(result, score="roc_auc"))
    assert "smaller is better" in said(recommend(result))


def test_patience_is_an_option_and_counts_as_keras_does():
    result = trained(epochs=30, rise=0.01)
    curves = result.history["val_score"].to_numpy()
    for patience in (1, 2, 5):
        for at, name in enumerate(result.variants):
            expected = stopping_epochs(curves[at], patience=patience)[1]
            assert stopped_at(result, name, patience)[:, 0].tolist() == expected.tolist()
    found = recommend(result, patience=3)
    rules = {str(one.rule) for one in found.options}
    assert "patience 3" in rules or any("patience 3" in str(note) for note in found.notes)


def test_patience_needs_forecasts_of_every_epoch():
    result = trained()
    bare = Result(
        result.history, result.runs, result.validation, result.test.drop_vars("prediction_epochs"), result.manifest
    )
    with pytest.raises(DataError, match="every epoch"):
        recommend(bare, patience=2)
    with pytest.raises(DataError, match="test split"):
        recommend(trained(test=False), patience=2)
    with pytest.raises(DataError, match="1 or more"):
        recommend(result, patience=0)


def test_without_a_test_split_the_best_epoch_is_not_set_against_the_last():
    found = recommend(trained(test=False))
    assert {one.rule.name for one in found.options} == {"best"}
    assert "no test split" in said(found)


def test_one_variant_alone(simulate):
    found = recommend(flat({"only": np.ones((3, 4))}, simulate))
    assert (found.choice.variant, found.reason, found.regret) == ("only", "alone", 0.0)
    assert "only one" in said(found)


def test_one_seed_has_no_bound(simulate):
    found = recommend(flat({"a": [[1, 2, 3]], "b": [[1, 1, 1]]}, simulate))
    assert found.choice.variant == "b"
    assert found.regret == np.inf
    assert len(found.best_set) == 2
    assert "cannot be said" in said(found)


def test_two_seeds_have_a_wide_one(simulate, rng):
    few = {name: 1 + rng.random((2, 30)) for name in "abc"}
    many = {name: np.concatenate([one] * 5) for name, one in few.items()}
    of_few, of_many = (recommend(flat(one, simulate)) for one in (few, many))
    assert np.isfinite(of_few.regret)
    assert of_few.regret > of_many.regret


def test_ties_lose_nothing(simulate, rng):
    same = 1 + rng.random((5, 20))
    found = recommend(flat({"a": same, "b": same}, simulate))
    assert found.regret == 0.0
    assert len(found.best_set) == 2


def test_options_with_lost_runs_are_set_aside_and_said(simulate, rng):
    good, lucky = 1 + rng.random((6, 20)), rng.random((6, 20)) * 0.1
    lucky[2] = np.nan
    found = recommend(flat({"good": good, "lucky": lucky, "other": good + 0.01}, simulate))
    assert found.choice.variant == "good"
    assert [one.variant for one in found.set_aside] == ["lucky"]
    assert "1 of its 6 runs" in said(found)
    with pytest.raises(DataError, match="no run came to an end"):
        recommend(flat({"a": np.full((3, 4), np.nan), "b": np.full((3, 4), np.nan)}, simulate))


def test_all_options_with_lost_runs(simulate, rng):
    losses = {name: 1 + rng.random((6, 20)) for name in "ab"}
    losses["a"][0] = losses["b"][3] = np.nan
    found = recommend(flat(losses, simulate))
    assert len(found.options) == 2
    assert np.isfinite(found.regret)
    assert "shipping may do worse" in said(found)


def test_results_without_forecasts(simulate, rng):
    curves = {name: 1 + 0.01 * rng.random((6, 8)) + at for at, name in enumerate("ab")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = recommend(simulate.result_from_curves(curves))
    assert found.claim == "this test set"
    assert found.choice.variant == "a"
    assert found.regret == 0.0
    assert "no held-out forecasts" in said(found)
    with pytest.raises(DataError, match="curves of"):
        recommend(simulate.result_from_curves(curves), score="brier_score")


@pytest.mark.parametrize(
    "wrong", [{"tolerance": -1.0}, {"tolerance": np.nan}, {"tolerance": np.inf}, {"alpha": 0}, {"alpha": 0.7}]
)
def test_wrong_arguments(simulate, wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        recommend(flat({"a": np.ones((3, 4)), "b": np.ones((3, 4))}, simulate), **wrong)
    with pytest.raises(UnknownNameError):
        recommend(flat({"a": np.ones((3, 4)), "b": np.ones((3, 4))}, simulate), score="log_loss")


def test_more_seeds_and_cases_bring_the_bound_down(simulate, rng):
    drawn = simulate.losses(
        rng, {"a": 0.0, "b": 0.02, "c": 0.01}, seeds=8, cases=60, seed_sd=0.02, case_sd=0.2, both_sd=0.02
    )
    found = recommend(flat(drawn, simulate), tolerance=0.03)
    _, of_cases, of_both = found.purchases
    assert of_cases.bound < found.regret
    assert (of_both.seeds, of_both.cases) == (16, 120)
    assert found.enough is not None
    assert found.enough.bound <= 0.03
    assert f"{found.enough.cases:,}" in said(found)


def test_a_prediction_of_a_larger_study_is_about_right(simulate, rng):
    """The bound foretold for twice the cases is near what such studies say."""
    kinds = {"seed_sd": 0.01, "case_sd": 0.3, "both_sd": 0.05}
    foretold, seen = [], []
    for _ in range(12):
        small, large = (
            recommend(
                flat(simulate.losses(rng, {"a": 0.0, "b": 0.0}, seeds=8, cases=cases, **kinds), simulate), tolerance=0
            )
            for cases in (80, 160)
        )
        foretold.append(small.purchases[1].bound if small.purchases else small.regret)
        seen.append(large.regret)
    assert np.mean(foretold) == pytest.approx(np.mean(seen), rel=0.35)
