"""How much of a small pretrained network to train, on real digits: head only, last block, everything, from scratch.

A backbone learns the digits 0 to 4 and is transferred to 5 to 9, of which 20 or 60 cases are there to learn from.
`python benchmarks/fine_tuning.py` writes `benchmarks/results/fine_tuning.json` and the table between its marks in
`docs/fine_tuning.md`; `--quick` takes few seeds and epochs and writes nothing.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.append(sys.path.pop(0))  # this folder last: its `statistics` must not stand for the standard library's

import keras
import numpy as np

import gengap as gg
from sections import put_section

RESULTS = Path(__file__).parent / "results" / "fine_tuning.json"
PAGE = Path(__file__).parents[1] / "docs" / "fine_tuning.md"
NUMBERS = (20, 60)


def network() -> keras.Model:
    """Return a small convolutional network with a head for five classes."""
    backbone = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu", name="block1"),
            keras.layers.Conv2D(32, 3, activation="relu", name="block2"),
            keras.layers.GlobalMaxPooling2D(),
        ],
        name="backbone",
    )
    head = keras.layers.Dense(5, activation="softmax", name="head")
    model = keras.Sequential([keras.Input((8, 8, 1)), backbone, head])
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    return model


def variants(x: np.ndarray, y: np.ndarray, epochs: int) -> dict[str, keras.Model]:
    """Return the four ways to use a backbone that has learned some digits, the head alone first."""
    keras.utils.set_random_seed(0)
    before, model = network(), network()
    before.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
    model.get_layer("backbone").set_weights(before.get_layer("backbone").get_weights())
    parts = {"head only": gg.Freeze("backbone")(model), "last block": gg.Freeze("block1")(model)}
    return {**parts, "everything": model, "from scratch": network()}


def measure(*, quick: bool) -> list[dict[str, Any]]:
    """Return one row for each number of cases and variant."""
    digits = gg.datasets.digits()
    splits = [digits.train, digits.validation, digits.test]
    x = np.concatenate([np.asarray(one.x) for one in splits]).reshape(-1, 8, 8, 1).astype("float32")
    y = np.concatenate([np.asarray(one.y) for one in splits])
    rest = np.random.default_rng(0).permutation(np.flatnonzero(y >= 5))
    models = variants(x[y < 5], y[y < 5], epochs=1 if quick else 15)
    held_out = {"validation_data": rest[60:260], "test_data": rest[260:]}
    data = {name: (x[cases], y[cases] - 5) for name, cases in held_out.items()}
    rows = []
    for number in NUMBERS:
        few = rest[:number]
        study = gg.Study(models, seeds=2 if quick else 10)
        result = study.run(x[few], y[few] - 5, epochs=2 if quick else 40, batch_size=16, progress=False, **data)
        score = gg.summarize(result).to_dataframe()
        table = gg.compare(result).to_dataframe()
        rows += [{"cases": number, "scores": json.loads(score.to_json(orient="records")),
                  "comparison": json.loads(table.to_json(orient="records"))}]  # fmt: skip
    return rows


def section(found: list[dict[str, Any]]) -> str:
    """Return the table of the page."""
    lines = ["| cases | variant | test log loss | minus head only | verdict |", "|---|---|---|---|---|"]
    for one in found:
        compared = {row["variant"]: row for row in one["comparison"] if row["rule"] == "best"}
        for score in {score["variant"]: score for score in reversed(one["scores"])}.values():
            row, told = compared.get(score["variant"]), " | "
            if row is not None:
                interval = f"[{row['difference_low']:.2f}, {row['difference_high']:.2f}]"
                told = f"{row['difference']:.2f} {interval} | {row['verdict']}"
            lines.append(f"| {one['cases']} | {score['variant']} | {score['test_score']:.2f} | {told} |")
    return "\n".join(lines).replace("-", "\u2212").replace("|\u2212\u2212\u2212", "|---")


def main() -> None:
    """Measure, print, and write unless in haste."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few seeds and epochs; nothing is written")
    quick = parser.parse_args().quick
    found = measure(quick=quick)
    print(json.dumps(found, indent=1)[:6000])
    if not quick:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        put_section(PAGE, Path(__file__).name, f"\n{section(found)}\n")


if __name__ == "__main__":
    main()
