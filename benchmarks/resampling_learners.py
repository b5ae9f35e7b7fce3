"""Fast learners and teachers of unlimited data, for studies over training sets whose truth is known.

Teachers have four blocks of five features that mean the same; the baseline holds back the first two blocks, and a
treatment that holds back two others is equal to it on average over training sets, but hardly ever on one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.tree import DecisionTreeRegressor

from simulated_results import Floats
from small_networks import trained

Integers = NDArray[np.int64]
BLOCKS, BLOCK = 4, 5
FEATURES = BLOCKS * BLOCK
COEFFICIENTS = np.tile(np.array([0.6, 0.3, 0.2, 0.1, 0.0]), BLOCKS)


@dataclass(frozen=True)
class Data:
    """A data set drawn anew: features `(n, 20)`, answers and groups `(n,)`."""

    x: Floats
    y: Floats
    group: Integers | None = None


@dataclass(frozen=True)
class Variant:
    """How a learner is treated: which blocks it holds back, and a strength whose meaning is the learner's."""

    held_back: tuple[int, ...]
    strength: float

    def over_features(self, inside: float, outside: float) -> Floats:
        """One number for the features of the blocks held back and another for the rest, shape `(20,)`."""
        inner = np.repeat(np.isin(np.arange(BLOCKS), self.held_back), BLOCK)
        return np.where(inner, inside, outside)


Fit = Callable[[Floats, Floats, Floats, Variant, int], Floats]
"""From training features and answers, features of test cases, variant and seed to predictions of the test cases."""

# --- teachers -------------------------------------------------------------------------------------------------------


def linear(rng: np.random.Generator, n: int) -> Data:
    x = rng.standard_normal((n, FEATURES))
    return Data(x, x @ COEFFICIENTS + rng.standard_normal(n))


def bent(rng: np.random.Generator, n: int) -> Data:
    """A sum over blocks of a function that is not linear, and noise."""
    x = rng.standard_normal((n, FEATURES))
    of_blocks = (x * COEFFICIENTS).reshape(n, BLOCKS, BLOCK).sum(axis=-1)
    return Data(x, np.sum(np.sin(2 * of_blocks) + np.abs(of_blocks), axis=-1) + 0.7 * rng.standard_normal(n))


def in_groups(rng: np.random.Generator, n: int) -> Data:
    """Groups of five cases that share half of their features' and of their noise's variance."""
    group = np.arange(n) // 5
    x = np.sqrt(0.5) * (rng.standard_normal((n // 5, FEATURES))[group] + rng.standard_normal((n, FEATURES)))
    noise = np.sqrt(0.5) * (rng.standard_normal(n // 5)[group] + rng.standard_normal(n))
    return Data(x, x @ COEFFICIENTS + noise, group)


def labels(rng: np.random.Generator, n: int, *, centre: float = 0.0, flipped: float = 0.0) -> Data:
    """Labels 0/1 by a logistic law; some of them flipped."""
    x = rng.standard_normal((n, FEATURES))
    y = (rng.random(n) < expit(centre + 1.5 * x @ COEFFICIENTS)).astype(np.float64)
    return Data(x, np.where(rng.random(n) < flipped, 1 - y, y))


def noisy_labels(rng: np.random.Generator, n: int) -> Data:
    return labels(rng, n, flipped=0.2)


def rare_labels(rng: np.random.Generator, n: int) -> Data:
    """About one event in eighteen."""
    return labels(rng, n, centre=-4.0)


# --- learners -------------------------------------------------------------------------------------------------------


def ridge(x: Floats, y: Floats, new: Floats, variant: Variant, _: int) -> Floats:
    """Ridge regression that penalizes the blocks held back by its strength and the others hardly."""
    penalty = len(x) * variant.over_features(0.2 * variant.strength, 1e-3)
    return np.asarray(new @ np.linalg.solve(x.T @ x + np.diag(penalty), x.T @ y))


def logistic(x: Floats, y: Floats, new: Floats, variant: Variant, _: int) -> Floats:
    """Logistic regression with such a penalty, by six of Newton's steps."""
    x, new = (np.column_stack([part, np.ones(len(part))]) for part in (x, new))
    penalty = np.append(len(x) * variant.over_features(0.05 * variant.strength, 1e-2), 1e-6)
    beta = np.zeros(FEATURES + 1)
    for _step in range(6):
        p = expit(x @ beta)
        weight = np.maximum(p * (1 - p), 1e-6)
        beta = beta + np.linalg.solve((x.T * weight) @ x + np.diag(penalty), x.T @ (y - p) - penalty * beta)
    return np.asarray(expit(new @ beta))


def neighbours(x: Floats, y: Floats, new: Floats, variant: Variant, _: int) -> Floats:
    """Mean of the nearest `strength` cases, where features of the blocks held back count half."""
    scale = variant.over_features(0.5, 1.0)
    a, b = x * scale, new * scale
    near = np.argpartition((a**2).sum(axis=1) - 2 * b @ a.T, int(variant.strength), axis=1)[:, : int(variant.strength)]
    return np.asarray(y[near].mean(axis=1))


def tree(x: Floats, y: Floats, new: Floats, variant: Variant, seed: int) -> Floats:
    """A tree grown to leaves of `strength` cases on the features that are not held back."""
    kept = variant.over_features(0.0, 1.0) > 0
    grown = DecisionTreeRegressor(min_samples_leaf=int(variant.strength), random_state=seed % 2**32).fit(x[:, kept], y)
    return np.asarray(grown.predict(new[:, kept]))


def random_features(x: Floats, y: Floats, new: Floats, variant: Variant, seed: int) -> Floats:
    """A network whose first layer is drawn by the seed and whose last is fitted; 40 units, some ridge."""
    return _random_layer(x, y, new, variant, seed, units=40, ridge_part=0.02 * variant.strength)


def interpolating(x: Floats, y: Floats, new: Floats, variant: Variant, seed: int) -> Floats:
    """The same with nearly as many units as cases and hardly any ridge: it memorizes, and forecasts badly."""
    return _random_layer(x, y, new, variant, seed, units=int(0.8 * len(x)), ridge_part=1e-3 * variant.strength)


def no_fit(x: Floats, y: Floats, new: Floats, variant: Variant, seed: int) -> Floats:
    """Stand for the networks, which are trained in `of_networks`."""
    raise NotImplementedError


def of_networks(data: Data, fold: Integers, setting: "Setting", seed: int) -> Floats:
    """Predictions `(variants, n)` of small networks, all folds and variants trained together."""
    variants = setting.variants
    parts = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)]
    rests = np.stack([rest for rest, _ in parts for _ in variants])
    penalty = np.stack([variant.over_features(0.05 * variant.strength, 0.0) for _ in parts for variant in variants])
    seeds = np.repeat(len(parts) * seed + np.arange(len(parts)), len(variants))
    networks = trained(data.x[rests], data.y[rests], penalty=penalty, seeds=seeds, epochs=setting.epochs)
    outs = np.stack([out for _, out in parts for _ in variants])
    predicted = networks(data.x[outs]).reshape(len(parts), len(variants), -1)
    found = np.empty((len(variants), len(data.y)))
    for (_, out), one in zip(parts, predicted, strict=True):
        found[:, out] = one
    return found


def _random_layer(
    x: Floats, y: Floats, new: Floats, variant: Variant, seed: int, *, units: int, ridge_part: float
) -> Floats:
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((FEATURES, units)) / np.sqrt(FEATURES) * variant.over_features(0.5, 1.0)[:, None]
    shift = rng.standard_normal(units)
    a, b = np.tanh(x @ first + shift), np.tanh(new @ first + shift)
    centre = y.mean()
    return np.asarray(centre + b @ np.linalg.solve(a.T @ a + ridge_part * len(x) * np.eye(units), a.T @ (y - centre)))


# --- settings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """A kind of study: what is drawn and learned, and which strengths have a true effect.

    Attributes:
        name: What it is called on the page.
        n: Cases of a data set.
        draw: The teacher.
        fit: The learner.
        strength: The baseline's.
        effects: Strengths of the treatments that do differ, the smaller effect first.
        score: What is lost by a prediction.
        seeded: Whether a seed changes what is learned.
        epochs: Of small networks, which are trained together and take the place of `fit`; 0 for the other learners.
        cost: How many times fewer studies it gets than the others.
    """

    name: str
    n: int
    draw: Callable[[np.random.Generator, int], Data]
    fit: Fit
    strength: float
    effects: tuple[float, float]
    score: Literal["squared_error", "log_loss"] = "squared_error"
    seeded: bool = False
    epochs: int = 0
    cost: int = 1

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The baseline, two treatments that are equal to it on average, and two that are not."""
        null = [Variant(blocks, self.strength) for blocks in ((0, 1), (2, 3), (0, 2))]
        return (*null, *(Variant((0, 1), strength) for strength in self.effects))


def losses(y: Floats, prediction: Floats, score: str) -> Floats:
    """Squared errors, or log losses of probabilities kept a thousandth away from 0 and 1."""
    if score == "squared_error":
        return np.asarray((prediction - y) ** 2)
    p = np.clip(prediction, 1e-3, 1 - 1e-3)
    return np.asarray(-np.log(np.where(y == 1, p, 1 - p)))


SETTINGS: Sequence[Setting] = (
    Setting("ridge, linear teacher", 200, linear, ridge, 1.0, (1.5, 3.0)),
    Setting("ridge, linear teacher", 400, linear, ridge, 1.0, (1.2, 1.5)),
    Setting("ridge, linear teacher", 2000, linear, ridge, 1.0, (1.03, 1.1), cost=2),
    Setting("ridge, linear teacher", 10_000, linear, ridge, 1.0, (1.01, 1.03), cost=6),
    Setting("ridge, groups of five", 200, in_groups, ridge, 1.0, (2.0, 5.0)),
    Setting("ridge, groups of five", 400, in_groups, ridge, 1.0, (1.5, 3.0)),
    Setting("logistic, labels", 200, labels, logistic, 1.0, (3.0, 8.0), "log_loss", cost=2),
    Setting("logistic, labels", 400, labels, logistic, 1.0, (2.0, 4.0), "log_loss", cost=2),
    Setting("logistic, labels", 2000, labels, logistic, 1.0, (1.1, 1.3), "log_loss", cost=8),
    Setting("logistic, 20 % of labels flipped", 200, noisy_labels, logistic, 1.0, (0.3, 0.05), "log_loss", cost=2),
    Setting("logistic, 20 % of labels flipped", 400, noisy_labels, logistic, 1.0, (5.0, 15.0), "log_loss", cost=2),
    Setting("logistic, rare events", 400, rare_labels, logistic, 1.0, (2.0, 4.0), "log_loss", cost=2),
    Setting("logistic, rare events", 2000, rare_labels, logistic, 1.0, (1.3, 2.0), "log_loss", cost=8),
    Setting("neighbours, bent teacher", 200, bent, neighbours, 10, (4, 2)),
    Setting("neighbours, bent teacher", 400, bent, neighbours, 10, (5, 3), cost=2),
    Setting("tree, bent teacher", 200, bent, tree, 5, (15, 1), cost=3),
    Setting("tree, bent teacher", 400, bent, tree, 5, (15, 1), cost=5),
    Setting("random features, bent teacher", 200, bent, random_features, 1.0, (3.0, 0.1), seeded=True, cost=2),
    Setting("random features, bent teacher", 400, bent, random_features, 1.0, (3.0, 0.1), seeded=True, cost=2),
    Setting("random features, bent teacher", 2000, bent, random_features, 1.0, (3.0, 10.0), seeded=True, cost=10),
    Setting("memorizing features, bent teacher", 200, bent, interpolating, 1.0, (1.5, 4.0), seeded=True, cost=3),
    Setting("memorizing features, bent teacher", 400, bent, interpolating, 1.0, (1.3, 2.0), seeded=True, cost=8),
    Setting("networks, bent teacher, 10 epochs", 200, bent, no_fit, 1.0, (3.0, 0.1), seeded=True, epochs=10, cost=6),
    Setting("networks, bent teacher, 40 epochs", 200, bent, no_fit, 1.0, (3.0, 0.1), seeded=True, epochs=40, cost=12),
)
