"""What a predictive distribution costs and is worth: speed on the net of T2.2, coverage where the truth is known.

    python benchmarks/uncertainty.py [--only speed|truth]

Writes `benchmarks/results/uncertainty.json`; each part keeps what the other one wrote.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

from gengap.datasets import synthetic_storms
from gengap.sampling import choose_rate, classifier_uncertainty, predict_distribution

RESULTS = Path(__file__).parent / "results" / "uncertainty.json"
L = keras.layers


def storm_net(filters: tuple[int, ...] = (16, 32, 64)) -> Any:
    """The net of T2.2: SpatialDropout2D(0.2) after each activation."""
    x = inputs = keras.Input((32, 32, 3))
    for count in filters:
        x = L.Conv2D(count, 5, padding="same")(x)
        x = L.Activation("relu")(x)
        x = L.SpatialDropout2D(0.2)(x)
        x = L.AveragePooling2D(2)(x)
    model = keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Flatten()(x)))
    model.compile("adam", "binary_crossentropy")
    return model


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """Return the median time of `repeats` runs, after one to warm up where there are several."""
    if repeats > 1:
        work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def speed() -> dict[str, Any]:
    keras.utils.set_random_seed(0)
    model = storm_net()
    x = np.random.default_rng(0).normal(size=(2000, 32, 32, 3)).astype("float32")
    one, thousand = x[:1], np.repeat(x[:1], 1000, axis=0)

    def predict_loop() -> None:
        for _ in range(200):
            model.predict(one, verbose=0)

    def batched() -> None:
        with torch.no_grad():
            model(thousand, training=True)

    def batched_many(cases: int = 200) -> None:
        with torch.no_grad():
            for first in range(0, cases, 10):
                model(np.repeat(x[first : first + 10], 100, axis=0), training=True)

    single = {
        "loop of 1,000 predict calls": 5 * seconds(predict_loop),  # 200 measured: every call costs the same
        "batched model(repeat(x), training=True)": seconds(batched, 5),
        "float32": seconds(lambda: predict_distribution(model, one, num_samples=1000), 9),
        "bfloat16": seconds(lambda: predict_distribution(model, one, num_samples=1000, precision="bfloat16"), 9),
    }
    many = {
        "batched loop": 10 * seconds(batched_many),  # 200 of 2,000 cases measured
        "float32": seconds(lambda: predict_distribution(model, x, num_samples=100, progress=False)),
        "bfloat16": seconds(
            lambda: predict_distribution(model, x, num_samples=100, precision="bfloat16", progress=False)
        ),
    }
    full = predict_distribution(model, one, num_samples=1000)
    half = predict_distribution(model, one, num_samples=1000, precision="bfloat16")
    ratios = {
        f"{precision} against {reference}": times[reference] / times[precision]
        for times in (single, many)
        for reference in times
        for precision in ("float32", "bfloat16")
        if reference not in {"float32", "bfloat16"}
    }
    return {
        "parameters": model.count_params(),
        "threads": torch.get_num_threads(),
        "one case, 1,000 samples, seconds": single,
        "2,000 cases, 100 samples, seconds": many,
        "ratios": ratios,
        "largest bfloat16 error": float(np.abs(half.members.values - full.members.values).max()),
        "spread": float(full.spread.mean()),
    }


def truth() -> dict[str, Any]:
    """Train small nets on synthetic storms; how often do their members cover the true probability?"""
    data = synthetic_storms(n_train=2000, n_validation=1000, n_test=1000)
    networks = []
    for seed in range(5):
        keras.utils.set_random_seed(seed)
        networks.append(storm_net((4, 8, 16)))
        networks[-1].fit(data.train.x, data.train.y, epochs=6, batch_size=64, verbose=0)
    assert data.test is not None
    others = np.stack([model.predict(data.test.x, verbose=0)[:, 0] for model in networks])
    forecast = predict_distribution(networks[0], data.test.x, num_samples=100, progress=False)
    judged = classifier_uncertainty(
        data.test.y, forecast, other_seeds=others[1:], true_probability=data.truth["test"], groups=data.test.groups
    )
    ensemble = np.sort(others, axis=0)  # five seeds: their range is the widest interval they have
    inside = (ensemble[0] <= data.truth["test"]) & (data.truth["test"] <= ensemble[-1])
    choice = choose_rate(networks[0], data.validation, test=data.test, num_samples=50, progress=False)
    return {
        "dropout": judged.summary().to_dict(),
        "coverage of the truth by the range of five seeds": float(inside.mean()),
        "mean range of five seeds": float((ensemble[-1] - ensemble[0]).mean()),
        "chosen rates": dict(choice.rates),
        "findings": list(choice.findings),
        "before and after the choice": choice.quality.to_dict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["speed", "truth"])
    only = parser.parse_args().only
    found = {part.__name__: part() for part in (speed, truth) if only in {None, part.__name__}}
    results = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
