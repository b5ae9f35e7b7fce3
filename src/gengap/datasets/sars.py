"""Soundings near supercell thunderstorms, embedded: which of them produced a tornado?"""

from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from gengap.datasets.split import Dataset, Split
from gengap.datasets.standardization import Standardization

CHANNELS = (("temperature", "°C"), ("dew point", "°C"), ("U wind", "m/s"), ("V wind", "m/s"), ("ln pressure", "ln hPa"))

DESCRIPTION = """\
A case is the atmosphere near a supercell thunderstorm over the United States: temperature, dew point, both wind
components and the logarithm of pressure at 32 heights from the ground to 15 km, observed by a balloon or analysed by
the RUC model. The answer is 1 if the storm produced a tornado of any strength. Trained on 1999-2001, validated on 2003
(with the two cases of 2002), tested on 2004: a forecaster never sees the future. Earlier cases are left out because
only tornadic ones were archived before 1999. A group is a convective day (12 to 12 UTC): storms of one outbreak are
not independent. The archive was collected so that about half of the storms are tornadic; its base rate is not nature's.
"""

CITATION = """\
Jewell, R., 2010: The Sounding Analog Retrieval System (SARS). 25th Conf. on Severe Local Storms, Denver, Amer.
Meteor. Soc. Supercell cases collected by R. Thompson, NOAA Storm Prediction Center; files as shipped with SHARPpy
1.4.0a5 (Blumberg et al. 2017, doi 10.1175/BAMS-D-15-00309.1).
"""


def soundings(*, standardize: bool = True) -> Dataset:
    """Proximity soundings of supercells, tornadic against non-tornadic; real, 419 / 232 / 215 cases.

    `x` has shape `(n, 32, 5)`, float32: height above ground (0, 200, ... 15,000 m: `heights()`) and channel. The
    profiles are rounded to 0.01 °C, 0.01 m/s and 0.00025 in ln hPa, below what the instruments resolve. Base rates are
    .49, .47 and .53. One sounding stands for two storms, one tornadic and one not (2003-03-17, 22 UTC): no model can
    tell those apart.

    Args:
        standardize: Whether each channel is shifted and scaled to mean 0 and standard deviation 1 over all heights of
            the training cases; False leaves °C, m/s and ln hPa.

    Returns:
        A binary data set. `y` is float32, shape `(n,)`; `groups` are convective days as `yyyymmdd`; `times` are the
        soundings' nominal hours in UTC.

    Example:
        >>> data = soundings()
        >>> len(data.train), len(data.validation), len(data.test)
        (419, 232, 215)
        >>> data.train.x.shape
        (419, 32, 5)
    """
    with (files("gengap.datasets") / "data" / "soundings.npz").open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        profiles = (stored["profiles"] * stored["resolution"]).astype(np.float32)
        y = (stored["category"] > 0).astype(np.float32)
        times = stored["time"]
    years = times.astype("datetime64[Y]").astype(int) + 1970
    in_training = years <= 2001
    if standardize:
        profiles = Standardization.of(profiles[in_training])(profiles)

    def split(chosen: NDArray[np.bool_]) -> Split:
        return Split(
            x=profiles[chosen],
            y=y[chosen],
            groups=_convective_day(times[chosen]),
            times=times[chosen].astype("datetime64[ns]"),
        )

    return Dataset(
        name="soundings",
        task="binary",
        train=split(in_training),
        validation=split((years == 2002) | (years == 2003)),
        test=split(years == 2004),
        description=DESCRIPTION,
        feature_names=tuple(f"{name} ({'standardized' if standardize else unit})" for name, unit in CHANNELS),
        label_names=("no tornado", "tornado"),
        target_units="",
        synthetic=False,
        licence="public domain (work of the United States government, 17 USC 105)",
        citation=CITATION,
    )


def heights() -> NDArray[np.int32]:
    """Heights above ground of the second axis of the soundings, in metres, shape `(32,)`."""
    with (files("gengap.datasets") / "data" / "soundings.npz").open("rb") as file:
        return np.load(file, allow_pickle=False)["heights"]  # type: ignore[no-any-return]


def _convective_day(times: NDArray[np.datetime64]) -> NDArray[np.int32]:
    """Return the day from 12 to 12 UTC that each time belongs to, as `yyyymmdd`."""
    days = np.datetime_as_string((times - np.timedelta64(12, "h")).astype("datetime64[D]"))
    return np.char.replace(days, "-", "").astype(np.int32)
