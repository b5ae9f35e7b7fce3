"""Which trial is chosen, worked by hand; and who is halted."""

import keras
import numpy as np
import pytest

from gengap.engine.planner import Chunk, Plan
from gengap.engine.runs import Run
from gengap.errors import DataError
from gengap.searching.halving import Halving, rungs
from gengap.searching.trials import Trial, best_of, standard_error, strongest_within
from gengap.study.rounds import whole_variants


def trial(number, values, *, strength=0.0, state="complete"):
    values = np.asarray(values, float)
    return Trial(number, {}, "", strength, values.mean(axis=1), 3.0, state, values, np.ones(3), np.empty(0))


def test_the_best_mean_wins_and_a_diverged_run_loses_all():
    lucky = trial(1, [[0.1, 0.1], [np.nan, np.nan]], state="diverged")
    assert best_of([trial(0, [[3, 3], [3, 3]]), lucky, trial(2, [[2, 2], [2, 3]])]).number == 2
    assert lucky.score == np.inf


def test_nobody_wins_where_nobody_arrived():
    with pytest.raises(DataError, match="none was trained to the end"):
        best_of([trial(0, [[0.0], [0.0]], state="halted")])


def test_the_strongest_within_one_standard_error_of_the_paired_difference():
    """Differences of 1 +- 1 over 4 seeds with one unit: mean 1, standard error 1 / 2 * sd = .577."""
    best = trial(0, [[1.0], [1.0], [1.0], [1.0]])
    beyond = trial(1, [[1.0], [3.0], [1.0], [3.0]], strength=0.9)
    within = trial(2, [[0.5], [1.7], [0.5], [1.7]], strength=0.5)
    halted = trial(3, [[1.0]] * 4, strength=1.0, state="halted")
    assert standard_error(beyond.values - best.values) == pytest.approx(2 / np.sqrt(3) / 2)
    assert strongest_within([best, beyond, within, halted], best) is within


def test_equal_trials_are_within_any_standard_error():
    best, twin = trial(0, [[1.0, 2.0]]), trial(1, [[1.0, 2.0]], strength=0.2)
    assert strongest_within([best, twin], best) is twin


def test_rungs():
    assert rungs(27, 3) == (3, 9)
    assert rungs(1, 3) == ()


def test_halving_keeps_whole_variants_and_the_baseline():
    halving = Halving(epochs=9, factor=3, rule="best", kept=frozenset({"baseline"}))
    scores = {"baseline": [9, 9], "a": [1, 5], "b": [2, 2], "c": [6, 6], "d": [7, 1]}
    running = [
        (Run(name, seed, None), np.array([own[seed], 10.0, 10.0])) for name, own in scores.items() for seed in (0, 1)
    ]
    ended = halving(3, running)
    assert {running[place][0].variant for place in ended} == {"c", "d"}, "of 4, 2 of the best means go on"
    assert len(ended) == 4, "both seeds"
    assert not halving(4, running)


@pytest.mark.parametrize(
    ("variants", "size", "expected"), [(10, 1, [10]), (9, 9, [9]), (20, 1, [10, 10]), (24, 24, [12, 12])]
)
def test_no_variant_is_left_over_to_train_alone(variants, size, expected):
    """Ten variants, where the planner finds that company does not pay, were nine and one, which no rung halted."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    runs = [Run(f"v{n}", seed, model) for n in range(variants) for seed in (0, 1)]
    keys = [(run.variant, run.seed) for run in runs]
    chunks = tuple(Chunk("", tuple(keys[at : at + size]), "fused", "") for at in range(0, len(keys), size))
    sizes = [len(one.runs) // 2 for one in whole_variants(Plan("cpu", "float32", chunks), runs).chunks]
    assert sizes == expected
