"""What changes between the two claims: the same variants on one split, and resampled on all cases.

`python benchmarks/two_claims.py` trains soundings, diabetes and, where `GENGAP_IMDB` names their file, reviews twice
each, writes `benchmarks/results/two_claims.json` and the section between its marks in `docs/resampling.md`. `--quick`
trains two epochs of diabetes and writes nothing.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

import gengap as gg
from gengap.datasets.cases import rows_of
from gengap_examples.demos import get_demo
from machine import machine
from sections import put_section

RESULTS = Path(__file__).parent / "results" / "two_claims.json"
PAGE = Path(__file__).parents[1] / "docs" / "resampling.md"
SEEDS, PASSES, FOLDS = 10, 5, 5
REVIEWS = os.environ.get("GENGAP_IMDB", "")
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Asked:
    """One data set, with what is tried on it.

    Attributes:
        name: What it is called in the table.
        model: The baseline.
        remedies: What is held against it.
        single: Its splits.
        pool: All cases of these.
        epochs: Epochs of every run, at most.
        preprocess: What takes the place of a scaling that was computed from the training split; None for nothing.
    """

    name: str
    model: keras.Model
    remedies: Sequence[str]
    single: gg.Dataset
    pool: gg.Split
    epochs: int
    preprocess: Any = None


def soundings() -> Asked:
    demo = get_demo("soundings")
    pool = demo.load(raw=True).pooled()
    remedies = ("l2(0.01)", "dropout(0.5)", "spatial_dropout(0.3)")
    scaled = keras.layers.Normalization(axis=-1)
    return Asked("soundings", demo.models(), remedies, demo.load(), pool, epochs=15, preprocess=scaled)


def diabetes() -> Asked:
    demo, data = get_demo("diabetes"), gg.datasets.diabetes()
    return Asked("diabetes", demo.models(), demo.remedies, data, data.pooled(), epochs=60)


def reviews() -> Asked:
    """Two thousand reviews by their thousand most frequent words, three fifths of them for training."""
    data = gg.datasets.imdb(REVIEWS, num_words=1000)
    parts = [_first(data.train, slice(0, 1200)), _first(data.train, slice(1200, 1600)),
             _first(data.train, slice(1600, 2000))]  # fmt: skip
    small = gg.Dataset(
        "reviews", "binary", *parts, data.description, (), data.label_names, "", synthetic=False, licence=data.licence,
        citation=data.citation,
    )  # fmt: skip
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((1000,)), *(layers.Dense(16, "relu") for _ in range(2)), layers.Dense(1, activation="sigmoid")]
    )
    model.compile("rmsprop", "binary_crossentropy")
    return Asked("reviews", model, ("l2(0.001)", "dropout(0.5)"), small, small.pooled(), epochs=10)


def _first(split: gg.Split, rows: slice) -> gg.Split:
    at = np.arange(rows.start, rows.stop)
    return gg.Split(rows_of(split.x, at), np.asarray(split.y)[at])


def measure(asked: Asked, *, epochs: int | None = None) -> list[Row]:
    """Train both studies, and set their verdicts side by side; references stand beside the networks."""
    fit: dict[str, Any] = {"epochs": epochs or asked.epochs, "batch_size": 32, "progress": False}
    began = time.perf_counter()
    study = gg.Study(asked.model, remedies=asked.remedies, references=["linear"], seeds=SEEDS)
    single = study.run(asked.single, **fit)
    between = time.perf_counter()
    folds = study.with_seeds(PASSES).run(asked.pool, cv=FOLDS, preprocess=asked.preprocess, **fit)
    seconds = between - began, time.perf_counter() - between
    found = [gg.compare(one) for one in (single, folds)]
    sizes = [one.manifest["data"] for one in (single, folds)]
    return [
        {
            "data": asked.name,
            "score": single.score,
            "variant": one.variant,
            "training_cases": [size["n_train"] for size in sizes],
            "test_cases": [size["n_test"] for size in sizes],
            "differences": [_plain(both[one.variant]) for both in found],
            "seconds": seconds,
        }
        for one in found[0].contrasts
    ]


def _plain(contrast: Any) -> Row:
    names = ("difference", "low", "high", "se")
    return {**{name: getattr(contrast, name) for name in names}, "verdict": contrast.verdict.kind,
            "advice": None if contrast.verdict.advice is None else str(contrast.verdict.advice)}  # fmt: skip


def write_section(rows: Sequence[Row]) -> str:
    """Return the page's section."""
    lines = [
        "| | variant | one split, 10 seeds | verdict | resampled, 5 passes | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["data"] for row in rows):
        lines += [_line(row, first=at == 0) for at, row in enumerate(row for row in rows if row["data"] == name)]
    ratio = np.median([row["differences"][1]["se"] / row["differences"][0]["se"] for row in rows])
    changed = sum(len({one["verdict"] for one in row["differences"]}) > 1 for row in rows)
    missing = "" if any(row["data"] == "reviews" for row in rows) else " Reviews were not at hand (`GENGAP_IMDB`)."
    return f"""## What changes between the two claims

The same variants, once on the split that a data set comes with ("given this training set"), once resampled on all of
its cases in {FOLDS} folds ("new training sets"); differences from the baseline, smaller is better, with simultaneous
intervals.{missing}

```console
$ python benchmarks/two_claims.py
```

{chr(10).join(lines)}

{changed} of {len(rows)} verdicts differ; {_open(rows, 0)} end in "cannot say" on one split, {_open(rows, 1)} resampled.
In the median the standard error of the larger claim is {ratio:.2f} times that of the smaller one: new training sets add
to it, and that all cases are read takes away. The numbers lie in `benchmarks/results/two_claims.json`."""


def _open(rows: Sequence[Row], at: int) -> int:
    return sum(row["differences"][at]["verdict"] == "cannot say" for row in rows)


def _line(row: Row, *, first: bool) -> str:
    head = ""
    if first:
        sizes = [f"{n:,} training and {m:,} test cases" for n, m in zip(row["training_cases"], row["test_cases"])]  # noqa: B905  two each
        head = f"{row['data']}, {row['score'].replace('_', ' ')}: {sizes[0]}, resampled {sizes[1]}"
    cells = []
    for one in row["differences"]:
        digits = max(0, 2 - int(np.floor(np.log10(max(one["high"] - one["low"], 1e-12)))))
        cells += [
            f"{one['difference']:+.{digits}f} [{one['low']:+.{digits}f}, {one['high']:+.{digits}f}]",
            one["verdict"],
        ]
    return f"| {head} | {row['variant']} | {' | '.join(cells)} |"


def main() -> None:
    """Measure, and write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two epochs of diabetes; nothing is written")
    if parser.parse_args().quick:
        print(write_section(measure(diabetes(), epochs=2)))
        return
    rows: list[Row] = []
    of: Mapping[str, Any] = {"diabetes": diabetes, "soundings": soundings}
    for make in (*of.values(), *([reviews] if Path(REVIEWS).is_file() else [])):
        rows += measure(make())
        print(write_section(rows), flush=True)
    RESULTS.write_text(json.dumps({"machine": machine("torch", "keras"), "rows": rows}, indent=1) + "\n")
    put_section(PAGE, Path(__file__).name, write_section(rows))


if __name__ == "__main__":
    main()
