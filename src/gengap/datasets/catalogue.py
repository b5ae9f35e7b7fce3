"""Data sets by name, as the command line and study files ask for them."""

from importlib import import_module
from typing import Any

from gengap.datasets.split import Dataset
from gengap.deprecated import NAMES, moved
from gengap.errors import UnknownNameError
from gengap.naming import did_you_mean

MODULES = {
    "diabetes": "patients",
    "digits": "handwriting",
    "imdb": "movie_reviews",
    "soundings": "sars",
    "storms": "storm_patches",
}


def available() -> tuple[str, ...]:
    """Names of all data sets, in alphabetical order.

    Example:
        >>> available()
        ('diabetes', 'digits', 'imdb', 'soundings', 'storms')
    """
    return tuple(sorted(MODULES))


def load(name: str, **options: Any) -> Dataset:
    """Load a data set by name.

    Args:
        name: One of `available()`.
        **options: Arguments of the function of that name.

    Raises:
        UnknownNameError: No data set has this name.

    Example:
        >>> load("soundings", standardize=False).name
        'soundings'
    """
    if name in NAMES["gengap.datasets"]:
        drawn: Dataset = moved("gengap.datasets", name)(**options)
        return drawn
    if name not in MODULES:
        raise UnknownNameError(
            f"no data set is called {name!r}{did_you_mean(name, available())}; there are {', '.join(available())}"
        )
    function = getattr(import_module(f"gengap.datasets.{MODULES[name]}"), name)
    dataset: Dataset = function(**options)
    return dataset
