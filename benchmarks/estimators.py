"""What a fit of `gg.StudyClassifier` costs beside fits of Keras' own wrapper, alternating in one process.

    python -m benchmarks.estimators [--quick]

Both fit the same net to digits of scikit-learn for the same number of epochs. The study trains variants x seeds
runs and the choice anew on all cases; the wrapper trains one. The ratio says how many single fits a study costs.
"""

import argparse
import time

import keras
import numpy as np
from sklearn.datasets import load_digits

import gengap as gg


def build(X: np.ndarray, y: np.ndarray) -> keras.Model:
    layers = [keras.Input((X.shape[1],)), keras.layers.Dense(64, "relu"), keras.layers.Dense(y.shape[1], "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "categorical_crossentropy")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few cases and epochs, to see that it runs")
    quick = parser.parse_args().quick
    x, y = load_digits(return_X_y=True)
    x, epochs, rounds = x / 16, 2 if quick else 20, 1 if quick else 3
    x, y = (x[:300], y[:300]) if quick else (x, y)
    remedies, seeds = ["dropout(0.3)", "l2(0.001)"], 3
    ours = gg.StudyClassifier(build, remedies=remedies, seeds=seeds, fit_kwargs={"epochs": epochs})
    theirs = keras.wrappers.SKLearnClassifier(build, fit_kwargs={"epochs": epochs, "verbose": 0})
    seconds = {"study": [], "wrapper": []}
    for estimator in (ours, theirs):  # imports and first calls
        estimator.fit(x[:100], y[:100])
    for _ in range(rounds):
        for name, estimator in (("study", ours), ("wrapper", theirs)):
            started = time.perf_counter()
            estimator.fit(x, y)
            seconds[name].append(time.perf_counter() - started)
    runs = (1 + len(remedies)) * seeds + 1
    study, wrapper = (float(np.median(seconds[name])) for name in ("study", "wrapper"))
    print(f"{len(x)} cases, {epochs} epochs; the study trains {runs} networks, Keras' wrapper 1")
    print(f"study {study:.2f} s, wrapper {wrapper:.2f} s: a study costs {study / wrapper:.1f} single fits")


if __name__ == "__main__":
    main()
