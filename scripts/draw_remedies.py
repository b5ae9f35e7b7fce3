"""Draw the figures of docs/remedies.md into docs/images: `python scripts/draw_remedies.py` (about half a minute)."""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import numpy as np
from sklearn.datasets import load_digits

import gengap.remedies as gr
from gengap.plots.dropout_masks import DropoutMasksDisplay, DropoutScalingDisplay
from gengap.plots.weights import WeightsDisplay

IMAGES = Path(__file__).parents[1] / "docs" / "images"
THRESHOLD = 1e-2
SEEDS = range(3)


def penalized_models() -> dict[str, list[keras.Model]]:
    """Train a small net on scikit-learn's digits without a penalty, with L1 and with L2; each three times."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    found: dict[str, list[keras.Model]] = {}
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(32, activation="relu")]
        model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10, activation="softmax")])
        model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
        variants = {"baseline": gr.clone_compiled(model)}
        variants |= {str(remedy): remedy(model) for remedy in (gr.L1(1e-3), gr.L2(1e-3), gr.L2(1e-2))}
        for name, variant in variants.items():
            keras.utils.set_random_seed(seed)
            variant.fit(x[:1000], y[:1000], epochs=25, batch_size=128, verbose=0)
            found.setdefault(name, []).append(variant)
    return found


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    DropoutScalingDisplay.from_rates().plot().figure.savefig(IMAGES / "dropout_scaling.png")
    DropoutMasksDisplay.from_rate(0.5).plot().savefig(IMAGES / "dropout_masks.png")
    weights = WeightsDisplay.from_models(penalized_models(), threshold=THRESHOLD)
    weights.plot().savefig(IMAGES / "weights.png")
    scaling = DropoutScalingDisplay.from_rates()
    for rule, means in scaling.means.items():
        print(rule, dict(zip(scaling.rates, means.round(3), strict=True)))
    for name, summaries in weights.data.items():
        norm = np.mean([summary.l2 for summary in summaries])
        below = np.mean([np.interp(THRESHOLD, s.thresholds, s.sparsity) for s in summaries])
        print(f"{name}: Euclidean norm {norm:.2f}, {below:.0%} of {summaries[0].count} weights below {THRESHOLD:g}")


if __name__ == "__main__":
    main()
