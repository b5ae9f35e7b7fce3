"""The studies that `gengap demo` runs: a data set, models, and settings chosen on its validation split."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from gengap import datasets
from gengap.analysis.tables import Table
from gengap.datasets.split import Dataset
from gengap.errors import DataError, UnknownNameError
from gengap.experiments.joining import joined
from gengap.naming import did_you_mean
from gengap.results import Result
from gengap.study import Study
from gengap_examples.review_generator import reviews
from gengap_examples.reviews_retold import retell_reviews
from gengap_examples.storm_generator import synthetic_storms
from gengap_examples.storms_retold import STORED, retell_storms

STORM_RATE = 0.2
_GENERATORS: Mapping[str, Callable[..., Dataset]] = {"reviews": reviews, "synthetic_storms": synthetic_storms}


@dataclass(frozen=True, eq=False)
class Demo:
    """One ready-made study.

    Attributes:
        title: What is asked, in a few words.
        dataset: Name of the data set, as `gengap.datasets.load` or a generator here knows it.
        models: Gives a model, or models by name.
        remedies: What to try on a single model, in written form.
        epochs: Epochs of every run.
        batch_size: Cases a step.
        real: Name of the real data set, where `dataset` is a generator that stands in for it until a path is given.
        variable: Environment variable that may hold the path of data that cannot be shipped.
        small: Options of the data set for a run of minutes.
        full: Options of the data set at its whole size.
        shorter: Epochs of variants that a tutorial trained for fewer than the others.
        raw: Options of the data set that leave out what was computed from its training split.
        preprocess: Makes what takes its place inside each fold.
        retell: Holds what a tutorial said against the result, where the demo retells one.
    """

    title: str
    dataset: str
    models: Callable[[], keras.Model | Mapping[str, keras.Model]]
    remedies: Sequence[str]
    epochs: int
    batch_size: int
    real: str = ""
    variable: str = ""
    small: Mapping[str, Any] = field(default_factory=dict)
    full: Mapping[str, Any] = field(default_factory=dict)
    shorter: Mapping[str, int] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Callable[[], Any] | None = None
    retell: Callable[[Result], Table] | None = None

    def load(self, path: str | None = None, *, full: bool = False, raw: bool = False) -> Dataset:
        """Return the data set.

        Args:
            path: Where data lie that cannot be shipped; None looks into the environment variable.
            full: Whether to take the whole size instead of one that trains in minutes.
            raw: Whether to leave out what was computed from the training split, such as a standardization.
        """
        path = path or os.environ.get(self.variable) or None
        if path is not None and self.real:
            return datasets.load(self.real, path=path)
        options = dict(self.full if full else self.small) | dict(self.raw if raw else {})
        options |= {} if path is None else {"path": path}
        draw = _GENERATORS.get(self.dataset)
        return datasets.load(self.dataset, **options) if draw is None else draw(**options)

    def study(self, *, seeds: int, **options: Any) -> Study:
        """Return the study; `options` are those of `Study`."""
        return Study(self.models(), remedies=self.remedies, seeds=seeds, **options)

    def run(
        self,
        dataset: Dataset,
        *,
        seeds: int,
        storage: Path | None = None,
        only: Sequence[str] = (),
        progress: bool = True,
        **options: Any,
    ) -> Result:
        """Train the study, each length of training by itself, and return its result.

        Args:
            dataset: The data set.
            seeds: Number of seeds.
            storage: Folder that keeps it while it runs, a folder for each length; None keeps it in memory.
            only: The variants to train, where models are given by name; none takes all.
            progress: Whether to show how far it has come.
            **options: Those of `Study`.
        """
        models = self.models()
        if isinstance(models, keras.Model):
            parts: dict[int, Any] = {self.epochs: models}
        else:
            parts = {}
            for name, model in models.items():
                if not only or name in only:
                    parts.setdefault(self.shorter.get(name, self.epochs), {})[name] = model
        results = []
        for epochs, part in parts.items():
            folder = None if storage is None else storage / f"{epochs}-epochs"
            study = Study(part, remedies=self.remedies, seeds=seeds, storage=folder, **options)
            results.append(study.run(dataset, epochs=epochs, batch_size=self.batch_size, progress=progress))
        return joined(results)

    def run_resampled(
        self,
        path: str | None = None,
        *,
        cv: int,
        passes: int,
        full: bool = False,
        storage: Path | None = None,
        progress: bool = True,
    ) -> Result:
        """Train the study on folds of all its cases, of whatever split.

        Args:
            path: As in `load`.
            cv: Number of folds.
            passes: Number of seeds, each with a division of its own.
            full: As in `load`.
            storage: Folder that keeps it while it runs; None keeps it in memory.
            progress: Whether to show how far it has come.

        Raises:
            DataError: Its variants train for different numbers of epochs.
        """
        if self.shorter:
            raise DataError("The variants of this demo train for different numbers of epochs: it is not resampled.")
        study = self.study(seeds=passes, storage=storage)
        return study.run(
            self.load(path, full=full, raw=True).pooled(),
            cv=cv,
            preprocess=None if self.preprocess is None else self.preprocess(),
            epochs=self.epochs,
            batch_size=self.batch_size,
            progress=progress,
        )


def soundings_model() -> keras.Model:
    """Return the small 1-D CNN that overfits the soundings at once: three convolutions, one hidden layer."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((32, 5)),
            layers.Conv1D(16, 5, padding="same", activation="relu"),
            layers.AveragePooling1D(2),
            layers.Conv1D(32, 5, padding="same", activation="relu"),
            layers.AveragePooling1D(2),
            layers.Conv1D(64, 5, padding="same", activation="relu"),
            layers.AveragePooling1D(2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def _by_channel() -> keras.layers.Layer:
    """Return what shifts and scales each channel as `soundings(standardize=True)` does, by its own training cases."""
    return keras.layers.Normalization(axis=-1)


def review_models(num_words: int = 10_000) -> dict[str, keras.Model]:
    """Return the seven nets of the review tutorial (T1): original, smaller, bigger, L2, L1, L1L2, dropout."""
    l1, l2, both = keras.regularizers.L1(1e-3), keras.regularizers.L2(1e-3), keras.regularizers.L1L2(1e-3, 1e-3)
    return {
        "original": _review_net(num_words, 16),
        "smaller": _review_net(num_words, 4),
        "bigger": _review_net(num_words, 512),
        "l2": _review_net(num_words, 16, regularizer=l2),
        "l1": _review_net(num_words, 16, regularizer=l1),
        "l1l2": _review_net(num_words, 16, regularizer=both),
        "dropout": _review_net(num_words, 16, dropout=0.5),
    }


def _review_net(num_words: int, units: int, *, regularizer: Any = None, dropout: float = 0.0) -> keras.Model:
    model = keras.Sequential([keras.Input((num_words,))])
    for _ in range(2):
        model.add(keras.layers.Dense(units, activation="relu", kernel_regularizer=regularizer))
        if dropout:
            model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
    return model


def storm_models() -> dict[str, keras.Model]:
    """Return the nets of the storm course (T2), and those that take its comparison apart.

    The course sets "l2" (L2 on every kernel; 5 epochs in its stored output) against "spatial dropout" (twice as wide).
    Beside "plain" every further net changes one thing: the penalty, the width, or the noise.
    """
    narrow, wide = (8, 16, 32), (16, 32, 64)
    return {
        "plain": _storm_net(narrow),
        "l2": _storm_net(narrow, regularizer=keras.regularizers.L2(1e-3)),
        "spatial dropout": _storm_net(wide, noise=keras.layers.SpatialDropout2D),
        "narrow spatial dropout": _storm_net(narrow, noise=keras.layers.SpatialDropout2D),
        "narrow dropout": _storm_net(narrow, noise=keras.layers.Dropout),
        "wide": _storm_net(wide),
        STORED: _storm_net(narrow, regularizer=keras.regularizers.L2(1e-3)),
    }


def _storm_net(
    filters: Sequence[int], *, regularizer: Any = None, noise: Callable[[float], Any] | None = None
) -> keras.Model:
    x = inputs = keras.Input((32, 32, 3))
    for count in filters:
        x = keras.layers.Conv2D(count, 5, padding="same", kernel_regularizer=regularizer)(x)
        x = keras.layers.Activation("relu")(x)
        x = x if noise is None else noise(STORM_RATE)(x)
        x = keras.layers.AveragePooling2D(2)(x)
    x = keras.layers.Flatten()(x)
    outputs = keras.layers.Dense(1, activation="sigmoid", kernel_regularizer=regularizer)(x)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def _digits_model() -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _diabetes_model() -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((10,)), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(1)]
    )
    model.compile("adam", "mse")
    return model


DEMOS: dict[str, Demo] = {
    "soundings": Demo(
        "Tornado or not, from the sounding beside the storm: what helps a small CNN on 419 cases?",
        "soundings",
        soundings_model,
        ("l2(0.01)", "dropout(0.5)", "spatial_dropout(0.3)", "spatial_dropout(0.3)+dropout(0.5)", "width(0.25)"),
        epochs=30,
        batch_size=32,
        raw={"standardize": False},
        preprocess=_by_channel,
    ),
    "reviews": Demo(
        "Movie reviews: the seven nets of the review tutorial",
        "imdb",
        review_models,
        (),
        epochs=20,
        batch_size=512,
        variable="GENGAP_IMDB",
        small={"split": "tutorial"},
        full={"split": "tutorial"},
        retell=retell_reviews,
    ),
    "storms": Demo(
        "Strong rotation within the hour: the two nets of the storm course, and what lies between them",
        "synthetic_storms",
        storm_models,
        (),
        epochs=10,
        batch_size=128,
        real="storms",
        variable="GENGAP_STORMS",
        small={"n_train": 2_000, "n_validation": 1_000, "n_test": 2_000},
        full={"n_train": 76_377, "n_validation": 10_000, "n_test": 44_760},
        shorter={STORED: 5},
        retell=retell_storms,
    ),
    "digits": Demo(
        "Handwritten digits: ten labels",
        "digits",
        _digits_model,
        ("l2(0.001)", "dropout(0.5)"),
        epochs=20,
        batch_size=32,
    ),
    "diabetes": Demo(
        "Progression of diabetes: regression on 10 measurements",
        "diabetes",
        _diabetes_model,
        ("l2(0.01)", "dropout(0.2)", "width(0.25)"),
        epochs=60,
        batch_size=32,
    ),
}


_ALIASES = {"imdb": "reviews"}


def get_demo(name: str) -> Demo:
    """Return a demo by name; `"imdb"` is another name of `"reviews"`.

    Raises:
        UnknownNameError: There is none of this name.
    """
    name = _ALIASES.get(name, name)
    if name not in DEMOS:
        raise UnknownNameError(f"There is no demo {name!r}{did_you_mean(name, DEMOS)}; demos are {', '.join(DEMOS)}.")
    return DEMOS[name]
