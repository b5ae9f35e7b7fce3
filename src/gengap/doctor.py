"""What `gengap doctor` says: versions, backend, device, and what is missing for which feature."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from gengap._version import __version__
from gengap.errors import MissingExtraError
from gengap.reporting.printing import find_browser

_SHOWN = (
    *("keras", "torch", "numba", "jax", "tensorflow", "numpy", "scipy", "scikit-learn", "xarray", "matplotlib", "ray"),
    *("optuna", "mlflow", "tensorboard", "wandb"),
)


@dataclass(frozen=True)
class Feature:
    """Something that gengap can do where a library is installed.

    Attributes:
        name: What it is, for people.
        module: The library's module.
        command: What installs it.
    """

    name: str
    module: str
    command: str

    @property
    def missing(self) -> bool:
        """Whether the library is not there."""
        return find_spec(self.module) is None


FEATURES = (
    Feature("training and shipping models", "keras", "pip install keras"),
    Feature("many runs as one program", "torch", "pip install torch"),
    Feature("fast sparse rows, recurrence and members of distributions", "numba", "pip install 'gengap[fast]'"),
    Feature("tables in Parquet files", "pyarrow", "pip install 'gengap[parquet]'"),
    Feature("closed forms of the CRPS", "scoringrules", "pip install 'gengap[crps]'"),
    Feature("searching strengths (gg.search, gg.improve)", "optuna", "pip install 'gengap[search]'"),
    Feature("several machines", "ray", "pip install 'gengap[ray]'"),
    Feature("results in MLflow", "mlflow", "pip install 'gengap[mlflow]'"),
    Feature("results in TensorBoard", "tensorboard", "pip install 'gengap[tensorboard]'"),
    Feature("results in Weights & Biases", "wandb", "pip install 'gengap[wandb]'"),
)
"""In the order in which people miss them."""


def examination() -> Iterator[str]:
    """Yield the lines of `gengap doctor`."""
    yield f"gengap {__version__} on Python {sys.version.split()[0]}"
    for name in _SHOWN:
        try:
            yield f"  {name:<14}{version(name)}"
        except PackageNotFoundError:
            yield f"  {name:<14}not installed"
    yield from _places()
    missing = list(_missing())
    yield "Missing, and what installs it:" if missing else "Nothing is missing: every feature has what it needs."
    width = max((len(what) for what, _ in missing), default=0)
    yield from (f"  {what:<{width}}  {command}" for what, command in missing)


def _missing() -> Iterator[tuple[str, str]]:
    """Yield features that lack something, with the command that installs it."""
    yield from ((one.name, one.command) for one in FEATURES if one.missing)
    try:
        find_browser()
    except MissingExtraError as error:
        command = str(error).partition("none was found: ")[2].partition(", or name")[0]
        yield "reports as PDF", command
    if find_spec("torch") is not None and shutil.which(os.environ.get("CXX", "c++")) is None:
        yield "compiled steps (gg.Computation(compile=True))", "a C++ compiler: sudo apt install g++"


def _places() -> list[str]:
    """Say where studies would train, or what can be done where they cannot."""
    reading = "Stored studies can be read, shown and reported here; training needs {}: pip install {}."
    try:
        import keras
    except ImportError as error:
        return [f"Keras: cannot be imported ({str(error).splitlines()[0]})", reading.format("Keras", "keras torch")]
    lines = [f"Keras backend: {keras.config.backend()}"]
    if keras.config.backend() != "torch":
        return [*lines, "The fused engine needs the torch backend: set KERAS_BACKEND=torch."]
    try:
        import torch
    except ImportError:
        return [*lines, reading.format("torch", "torch")]
    cuda = torch.cuda.is_available()
    return [*lines, f"Device: {torch.cuda.get_device_name() if cuda else f'CPU, {torch.get_num_threads()} threads'}"]
