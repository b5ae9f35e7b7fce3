"""Five kinds of real data: the tutorials' strengths, searched ones, a searched cocktail and references, side by side.

    GENGAP_IMDB=imdb.npz python -m benchmarks.search_real [--only soundings digits diabetes cancer reviews]

Of each data set a search chooses the rate of dropout, and another a cocktail of dropout, L2 and learning rate, both on
the validation cases and with seeds of their own. What they chose is then trained beside the model as it is and what
tutorials take (dropout 0.5, L2 0.001), with ten fresh seeds, and read once on the test cases, at the epoch of best
validation score. Writes `benchmarks/results/search_real.json`, a data set at a time, and the section of docs/search.md.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from benchmarks.machine import machine
from benchmarks.search_tasks import convolutional, dense
from benchmarks.sections import put_section
from scipy.stats import loguniform
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import gengap as gg

RESULTS = Path(__file__).parent / "results" / "search_real.json"
PAGE = Path(__file__).parents[1] / "docs" / "search.md"
SEEDS, FRESH = 3, range(100, 110)
DROPOUT = {gg.Dropout: [None, (0.05, 0.7)]}
COCKTAIL = {**DROPOUT, gg.L2: [None, loguniform(1e-5, 1e-1)], "learning_rate": loguniform(0.1, 10)}
TUTORIAL = ("dropout(0.5)", "l2(0.001)")


@dataclass(frozen=True, eq=False)
class Asked:
    """One data set.

    Attributes:
        kind: What it is, for the table.
        data: Training, validation and test split.
        model: The model as it is.
        epochs: Epochs of every run, at most.
        batch_size: Cases a step.
        trials: Trials of the cocktail; the search of dropout alone has a third of them.
        references: Simple models beside it.
    """

    kind: str
    data: gg.Dataset
    model: keras.Model
    epochs: int
    batch_size: int = 32
    trials: int = 48
    references: tuple[str, ...] = ("linear", "boosted_trees")


def soundings() -> Asked:
    data = gg.datasets.soundings()
    return Asked("weather soundings, Conv1D", data, convolutional(0.0, 0.0, 1e-3), 30, trials=24)


def digits() -> Asked:
    data = gg.datasets.digits()
    build = dense(64, data.train.x.shape[1:], (10, "softmax", "sparse_categorical_crossentropy"))
    return Asked("handwritten digits, dense", data, build(0.0, 0.0, 1e-3), 40, trials=24)


def diabetes() -> Asked:
    data = gg.datasets.diabetes()
    build = dense(64, data.train.x.shape[1:], (1, "linear", "mean_squared_error"))
    return Asked("diabetes progression, dense", data, build(0.0, 0.0, 1e-3), 120, trials=30)


def cancer() -> Asked:
    """Cell nuclei (Wisconsin, as scikit-learn ships them), divided at random, standardized by the training cases."""
    x, y = load_breast_cancer(return_X_y=True)
    rest, test = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=0)
    train, validation = train_test_split(rest, test_size=0.3, stratify=y[rest], random_state=0)
    x = ((x - x[train].mean(axis=0)) / x[train].std(axis=0)).astype("float32")
    parts = {name: gg.Split(x[rows], y[rows]) for name, rows in (("train", train), ("validation", validation))}
    data = gg.Dataset(
        name="breast cancer", task="binary", **parts, test=gg.Split(x[test], y[test]), description="", synthetic=False,
        feature_names=(), label_names=("malignant", "benign"), target_units="", licence="CC BY 4.0", citation="",
    )  # fmt: skip
    build = dense(64, x.shape[1:], (1, "sigmoid", "binary_crossentropy"))
    return Asked("cell nuclei, dense", data, build(0.0, 0.0, 1e-3), 80, trials=30)


def reviews() -> Asked:
    data = gg.datasets.imdb(os.environ["GENGAP_IMDB"])
    build = dense(16, (10_000,), (1, "sigmoid", "binary_crossentropy"))
    return Asked("film reviews, dense", data, build(0.0, 0.0, 1e-3), 6, 512, 18, ("linear",))


ASKED: dict[str, Callable[[], Asked]] = {one.__name__: one for one in (soundings, digits, diabetes, cancer, reviews)}


def searched(asked: Asked, space: dict[Any, Any], trials: int) -> str:
    """Return what a search chooses on validation; the test cases stay out of its sight."""
    data = {"x": asked.data.train, "validation_data": asked.data.validation}
    given = {"epochs": asked.epochs, "batch_size": asked.batch_size, "seeds": SEEDS, "judge_seeds": 1}
    return str(gg.search(asked.model, space, **data, **given, n_trials=trials, progress=False).remedy)


def judged(asked: Asked) -> dict[str, Any]:
    """Search, and judge what was found on the test cases beside the tutorials' strengths and references."""
    began = time.perf_counter()
    alone, joint = searched(asked, DROPOUT, asked.trials // 3), searched(asked, COCKTAIL, asked.trials)
    roles = {"tutorial: dropout": TUTORIAL[0], "tutorial: L2": TUTORIAL[1], "searched dropout": alone,
             "searched cocktail": joint}  # fmt: skip
    remedies = list(dict.fromkeys(one for one in roles.values() if one))
    study = gg.Study(asked.model, remedies=remedies, seeds=list(FRESH), references=list(asked.references))
    result = study.run(asked.data, epochs=asked.epochs, batch_size=asked.batch_size, progress=False)
    compared = gg.compare(result)
    rows = [{"role": role, "remedy": name, **_against(compared, name)} for role, name in roles.items()]
    simple = [one for one in result.variants if one not in {result.baseline, *remedies}]
    rows += [{"role": "reference", "remedy": name, **_against(compared, name)} for name in simple]
    return {
        "kind": asked.kind,
        "cases": [len(one) for one in (asked.data.train, asked.data.validation, asked.data.test) if one is not None],
        "score": result.score,
        "baseline": float(_score(result, result.baseline)),
        "rows": rows,
        "trials": [asked.trials // 3, asked.trials],
        "seconds": time.perf_counter() - began,
        "machine": machine(),
    }


def _score(result: gg.Result, variant: str) -> float:
    table = gg.summarize(result).to_dataframe()
    own = table[(table["variant"] == variant) & (table["rule"] == "best")]
    return float(own["test_score"].iloc[0])


def _against(compared: Any, name: str) -> dict[str, Any]:
    if not name:
        return {"verdict": "the model as it is"}
    contrast = compared[name]
    return {
        "difference": float(contrast.difference),
        "low": float(contrast.low),
        "high": float(contrast.high),
        "verdict": contrast.verdict.short,
    }


def section(found: dict[str, Any]) -> str:
    """Return what was found as Markdown."""
    lines = ["| data (train / validation / test) | what | remedy | on test, against the model as it is | verdict |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name in (one for one in ASKED if one in found):
        one = found[name]
        cases, score = " / ".join(f"{count:,}" for count in one["cases"]), one["score"].replace("_", " ")
        lines.append(f"| **{one['kind']}** ({cases}) | the model as it is | | {score} {one['baseline']:.4f} | |")
        for row in one["rows"]:
            change = f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]" if row["remedy"] else ""
            lines.append(f"| | {row['role']} | {_code(row['remedy'])} | {change} | {row['verdict']} |")
    said = (
        "Below 0 is better. Intervals are of the differences, for new seeds and new cases; within a data set all of "
        "them hold at once with 95 % confidence. The remedies were chosen on validation, with seeds of their own, "
        "and read once on test; "
        "`python -m benchmarks.search_real` trains all of it."
    )
    lines += ["", said]
    return "\n".join(lines)


def _code(remedy: str) -> str:
    return f"`{remedy}`" if remedy else "none: off was best"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(ASKED), default=list(ASKED))
    for name in parser.parse_args().only:
        if name == "reviews" and not os.environ.get("GENGAP_IMDB"):
            print("reviews left out: GENGAP_IMDB names no file")
            continue
        one = judged(ASKED[name]())
        print(name, json.dumps(one, indent=1), flush=True)
        found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**found, name: one}, indent=1) + "\n")
        put_section(PAGE, "search_real.py", section({**found, name: one}))


if __name__ == "__main__":
    main()
