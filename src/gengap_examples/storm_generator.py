"""Synthetic storms: drawn like the course's patches, but with the true probability of strong rotation of every case."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Dataset, Split
from gengap.datasets.standardization import Standardization
from gengap.datasets.storm_patches import CHANNELS, COURSE_DEVIATION, COURSE_MEAN
from gengap_examples.sizes import require_cases, require_seed

SIDE = 32
GRID_KM = 3.0
STORMS_PER_DAY = 64
DAYS_PER_CHUNK = 16
FIRST_DAY = np.datetime64("2010-01-01")

CORRELATION_LENGTH = 3.0  # of the noise, in pixels
# Moments of the fields before they are given the course's: found from 41,000 draws, held by a test of the outcome.
RAW_MEAN = (0.823, 0.0, 0.0)
RAW_DEVIATION = (0.899, 0.966, 0.966)

INTERCEPT, SLOPE = -17.84, 3.0  # so that the base rate is the course's, and a perfect forecast as good as its best

DESCRIPTION = """\
Synthetic, drawn by a generator and never observed: a case looks like a storm patch of the AMS short course
(reflectivity and 10 m wind, 32 x 32 pixels of 3 km, the course's channel moments and base rate), with a vortex in
correlated noise. The answer is 1 with a probability that grows with the vorticity inside of the storm's echo, and that
is kept in `truth`. A group is a day: its storms share wind and readiness to rotate. Skill here says nothing about real
storms.
"""


def synthetic_storms(
    *, n_train: int = 8_000, n_validation: int = 4_000, n_test: int = 4_000, seed: int = 0, standardize: bool = True
) -> Dataset:
    """Storm patches from a generator, strong rotation against none; the true probability of every case is known.

    `truth` holds `rotation_probability` of each case, and the answers are drawn from it, so no forecast has a better
    expected proper score than it: its AUC is about .95 and its Brier skill score about .38. The base rate is about
    4.5 %. A smaller data set holds the first cases of a larger one with the same seed. The course's size is
    `n_train=76_377, n_test=44_760`; it takes about 12 kB a case.

    Args:
        n_train: Cases for training.
        n_validation: Cases for validation, from later days.
        n_test: Cases for test, from days later still.
        seed: Fixes all draws.
        standardize: Whether each channel is shifted and scaled to mean 0 and standard deviation 1 over all training
            pixels; False leaves dBZ and m/s.

    Returns:
        A binary data set. `x` has shape `(n, 32, 32, 3)`, float32: reflectivity, U, V; rows go north, columns east.

    Raises:
        ValueError: A number of cases is below 1, or `seed` is negative.
        TypeError: One of them is not a whole number.
    """
    sizes = {"train": n_train, "validation": n_validation, "test": n_test}
    for name, n in sizes.items():
        require_cases(f"n_{name}", n)
    require_seed(seed)
    splits, truth, first_day = {}, {}, FIRST_DAY
    for position, (name, n) in enumerate(sizes.items()):
        splits[name], truth[name] = _draw_split(n, first_day, (seed, position))
        first_day = splits[name].times[-1].astype("datetime64[D]") + np.timedelta64(1, "D")  # type: ignore[index]
    if standardize:
        scale = Standardization.of(splits["train"].x)
        for split in splits.values():
            scale.in_place(split.x)
    return Dataset(
        name="synthetic_storms",
        task="binary",
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        description=DESCRIPTION,
        feature_names=tuple(f"{name} ({'standardized' if standardize else unit})" for name, unit in CHANNELS),
        label_names=("no strong rotation", "strong rotation"),
        target_units="",
        synthetic=True,
        licence="Apache-2.0, as gengap itself",
        citation="gengap's generator of synthetic storms",
        truth=truth,
    )


def rotation_probability(x: NDArray[np.floating]) -> NDArray[np.float64]:
    r"""True probability of strong rotation in synthetic storms: what the perfect model would answer.

    $$\operatorname{logit} p = a + b \ln\Bigl(1 + \sum (\zeta - 0.5)_+ \, (Z - 10)_+ / 10\Bigr)$$

    with vorticity $\zeta$ in 10⁻³ 1/s by central differences, reflectivity $Z$ in dBZ, and the sum over inner pixels.

    Args:
        x: Reflectivity in dBZ, U and V in m/s, shape `(n, rows, columns, 3)`.

    Returns:
        Probabilities, shape `(n,)`.
    """
    reflectivity, u, v = x[..., 0], x[..., 1], x[..., 2]
    shear = v[:, 1:-1, 2:] - v[:, 1:-1, :-2] - u[:, 2:, 1:-1] + u[:, :-2, 1:-1]
    vorticity = shear / (2 * GRID_KM)
    echo = np.maximum(reflectivity[:, 1:-1, 1:-1] - 10, 0) / 10
    rotation = (np.maximum(vorticity - 0.5, 0) * echo).sum(axis=(1, 2), dtype=np.float64)
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-(INTERCEPT + SLOPE * np.log1p(rotation))))
    return probability


def _draw_split(n: int, first_day: np.datetime64, key: tuple[int, int]) -> tuple[Split, NDArray[np.float64]]:
    """Draw n cases from `first_day` on; each chunk of days has its own key, so the first cases do not depend on n."""
    x = np.empty((n, SIDE, SIDE, 3), dtype=np.float32)
    y, truth = np.empty(n, dtype=np.float32), np.empty(n)
    for start, chunk in _chunks(n):
        random = np.random.default_rng([*key, start])
        fields = _draw_days(random)
        probability = rotation_probability(fields)
        labels = random.random(len(fields)) < probability
        x[chunk], y[chunk], truth[chunk] = (part[: chunk.stop - chunk.start] for part in (fields, labels, probability))
    days = first_day + (np.arange(n) // STORMS_PER_DAY).astype("timedelta64[D]")
    hours = np.arange(n) % STORMS_PER_DAY * 24 // STORMS_PER_DAY
    groups = np.char.replace(np.datetime_as_string(days), "-", "").astype(np.int32)
    return Split(x, y, groups=groups, times=days.astype("datetime64[ns]") + hours.astype("timedelta64[h]")), truth


def _chunks(n: int) -> Iterator[tuple[int, slice]]:
    size = DAYS_PER_CHUNK * STORMS_PER_DAY
    return ((number, slice(start, min(start + size, n))) for number, start in enumerate(range(0, n, size)))


def _draw_days(random: np.random.Generator) -> NDArray[np.float32]:
    """Draw all storms of a chunk of days: fields in dBZ and m/s, shape `(storms, 32, 32, 3)`."""
    n = DAYS_PER_CHUNK * STORMS_PER_DAY

    def daily(spread: float) -> NDArray[np.float32]:
        return np.repeat(random.normal(0, spread, DAYS_PER_CHUNK), STORMS_PER_DAY).astype(np.float32)[:, None, None]

    def own(spread: float, mean: float = 0.0) -> NDArray[np.float32]:
        return random.normal(mean, spread, n).astype(np.float32)[:, None, None]

    pixel = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    north, east = pixel[:, None], pixel[None, :]
    to_north, to_east = north - own(2.5), east - own(2.5)
    radius = np.exp(own(0.2, mean=0.95))
    speed = random.standard_exponential(n, dtype=np.float32)[:, None, None] * np.exp(daily(0.3) - 0.045)
    turn = 0.9 * speed / radius * np.exp(0.5 - 0.5 * (to_north**2 + to_east**2) / radius**2)
    echo = 2.2 * np.exp(own(0.3)) * np.exp(-(north**2 + east**2) / 128)
    raw = (
        0.6 * _correlated_noise(random, n) + echo,
        0.55 * _correlated_noise(random, n) + daily(0.6) + own(0.45) - turn * to_north,
        0.55 * _correlated_noise(random, n) + daily(0.6) + own(0.45) + turn * to_east,
    )
    moments = zip(raw, RAW_MEAN, RAW_DEVIATION, COURSE_MEAN, COURSE_DEVIATION, strict=True)
    channels = [(field - mean) * (to_sd / sd) + to_mean for field, mean, sd, to_mean, to_sd in moments]
    return np.stack(channels, axis=-1).astype(np.float32, copy=False)


def _correlated_noise(random: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Gaussian noise of variance 1 whose correlation falls with distance as a Gaussian, shape `(n, 32, 32)`."""
    distance = np.subtract.outer(np.arange(SIDE), np.arange(SIDE))
    values, vectors = np.linalg.eigh(np.exp(-0.5 * (distance / CORRELATION_LENGTH) ** 2))
    root = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    noise: NDArray[np.float32] = root @ random.standard_normal((n, SIDE, SIDE), dtype=np.float32) @ root.T
    return noise
