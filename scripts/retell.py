"""Retell both tutorials on real data, as far as there are any, and write docs/reproduction.md with its figures.

    GENGAP_IMDB=imdb.npz python scripts/retell.py --storage /tmp/retell-store

Nets are trained one study each, with the same seeds and batches, and kept in the storage: what was trained before is
not trained again, so an interrupted run continues.
"""

import argparse
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from gengap import datasets
from gengap._version import __version__
from gengap.datasets import Dataset
from gengap.experiments.demos import DEMOS, review_models
from gengap.experiments.joining import joined
from gengap.experiments.retelling import retell_reviews, retell_storms, to_markdown
from gengap.plots.learning_curves import LearningCurvesDisplay
from gengap.results import Result
from gengap.study import Study

DOCS = Path(__file__).parents[1] / "docs"
EARLIER = ("original", "smaller", "l2", "dropout")
"""Nets trained once more with Keras 2's RMSprop, whose epsilon stands outside of the root; not the slow, bigger one."""
FIGURES = {
    "reviews_smaller": ("smaller", "validation", "Validation log loss: original and smaller net"),
    "reviews_bigger": ("bigger", "validation", "Validation log loss: original and bigger net"),
    "reviews_bigger_training": ("bigger", "training", "Training log loss: original and bigger net"),
    "reviews_l2": ("l2", "validation", "Validation log loss: original net and L2(0.001)"),
    "reviews_dropout": ("dropout", "validation", "Validation log loss: original net and Dropout(0.5)"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", type=Path, default=Path("retell-store"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--bigger-seeds", type=int, help="seeds of the 512-512 net, if there is no time for all")
    parser.add_argument("--storm-seeds", type=int, default=3)
    options = parser.parse_args()
    counts = dict.fromkeys(review_models(), options.seeds)
    counts["bigger"] = options.bigger_seeds or options.seeds
    reviews = train_reviews(options.storage, counts)
    figures(reviews)
    earlier = train_reviews(options.storage / "keras2-epsilon", dict.fromkeys(EARLIER, options.seeds), epsilon=1e-14)
    storms = DEMOS["storms"]
    studied = storms.study(seeds=options.storm_seeds, storage=options.storage / "storms")
    observed = studied.run(storms.load(), epochs=storms.epochs, batch_size=storms.batch_size, progress=False)
    (DOCS / "reproduction.md").write_text(page(reviews, earlier, observed, counts), encoding="utf-8")


def train_reviews(storage: Path, seeds: dict[str, int], *, epsilon: float = 1e-7) -> Result:
    """Train nets as the tutorial did: the test half is the validation data."""
    demo = DEMOS["reviews"]
    data: Dataset = datasets.imdb(os.environ.get(demo.variable), split="tutorial")
    results = []
    models = review_models()
    for name, count in seeds.items():
        model = models[name]
        model.optimizer.epsilon = epsilon
        began = time.perf_counter()
        study = Study({name: model}, seeds=count, storage=storage / name)
        results.append(study.run(data, epochs=demo.epochs, batch_size=demo.batch_size, progress=False))
        print(f"{name}: {count} seeds, {time.perf_counter() - began:.1f} s in this run", flush=True)
    return joined(results)


def figures(result: Result) -> None:
    """Draw the tutorial's five figures, with every seed and a band of the mean."""
    for name, (other, which, title) in FIGURES.items():
        display = LearningCurvesDisplay.from_result(result, variants=["original", other], which=which)
        ax = display.plot()
        ax.set_title(title)
        ax.figure.savefig(DOCS / "images" / f"{name}.png", dpi=110, bbox_inches="tight")


def page(reviews: Result, earlier: Result, storms: Result, seeds: dict[str, int]) -> str:
    """Write the page; its numbers come from the two results."""
    data, trained = reviews.manifest["data"], float(reviews.runs["seconds"].sum())
    epochs, size = int(reviews.history.sizes["epoch"]), reviews.manifest["settings"]["batch_size"]
    pictures = "\n\n".join(f"![{title}](images/{name}.png)" for name, (_, _, title) in FIGURES.items())
    source = (
        "The course's archive was not at hand: its nets were trained on synthetic storms, so no score is shown."
        if storms.manifest["data"]["synthetic"]
        else "Trained and scored on the course's own archive."
    )
    return f"""# The tutorials retold

What the two tutorials print and say, beside what was measured over seeds. Written by `python scripts/retell.py`
on {datetime.now(UTC):%Y-%m-%d} with gengap {__version__}, Python {platform.python_version()}, {
        os.cpu_count()
    } CPU cores;
do not edit by hand.

## Movie reviews

Real IMDB reviews, {data["n_train"]:,} for training and {data["n_validation"]:,} as validation data (the test half, as
the tutorial did). Seven nets, {max(seeds.values())} seeds ({seeds["bigger"]} of the bigger net), {epochs} epochs,
batches of {size}. Training took {trained:,.0f} seconds in all, on a machine shared with other work; it is no benchmark.

{to_markdown(retell_reviews(reviews))}
Every seed thin, the mean thick, its pointwise 95 % band shaded:

{pictures}

### With the optimizer that the tutorial had

Keras 2 divided by the root of v, plus epsilon; Keras 3 by the root of (v + epsilon), both with 1e-7. Where
gradients are small, as for rare words, Keras 3 takes smaller steps. The same nets (not the slow, bigger one) and
seeds with 1e-14 inside of the root, which is Keras 2's rule except where the root of v is about 1e-7:

{to_markdown(retell_reviews(earlier))}

## Thunderstorm rotation

{source}

{to_markdown(retell_storms(storms))}"""


if __name__ == "__main__":
    main()
