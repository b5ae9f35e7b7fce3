"""Retell both tutorials on real data, as far as there are any, and write docs/reproduction.md with its figures.

    GENGAP_IMDB=imdb.npz python scripts/retell.py --storage /tmp/retell-store

Nets are trained one study each, with the same seeds and batches, and kept in the storage: what was trained before is
not trained again, so an interrupted run continues (`--only NAME` trains some nets and writes nothing). Runs of plain
Keras are read from `benchmarks/results/reproduction.json`, where `benchmarks/reproduction.py` puts them.
"""

import argparse
import os
import platform
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from gengap import datasets
from gengap._version import __version__
from gengap.analysis import audit
from gengap.experiments.joining import joined
from gengap.plots.learning_curves import LearningCurvesDisplay
from gengap.results import Result
from gengap.storage import Store
from gengap.study import Study, load
from gengap_examples.demos import DEMOS, review_models
from gengap_examples.reviews_retold import retell_reviews, to_markdown
from gengap_examples.side_by_side import Runs, against_itself, by_law, read_runs, side_by_side
from gengap_examples.storms_retold import retell_storms

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PLAIN = ROOT / "benchmarks" / "results" / "reproduction.json"
EARLIER = {"original": 20, "smaller": 20, "bigger": 5, "l2": 20, "dropout": 20}
"""Epochs of the nets trained once more with Keras 2's RMSprop; the slow, bigger one only beyond its best epoch."""
EARLIER_EPSILON = 1e-14
"""Inside the root it is Keras 2's 1e-7 outside, except where the root of v is itself about 1e-7."""
FIGURES = {
    "reviews_smaller": ("smaller", "validation", "Validation log loss: original and smaller net"),
    "reviews_bigger": ("bigger", "validation", "Validation log loss: original and bigger net"),
    "reviews_bigger_training": ("bigger", "training", "Training log loss: original and bigger net"),
    "reviews_l2": ("l2", "validation", "Validation log loss: original net and L2(0.001)"),
    "reviews_dropout": ("dropout", "validation", "Validation log loss: original net and Dropout(0.5)"),
}
TEMPLATE = (Path(__file__).parent / "reproduction.md.in").read_text(encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", type=Path, default=Path("retell-store"))
    parser.add_argument("--storms", type=Path, help="folder of the storm study, or of its saved result")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=list(review_models()), help="train these nets and write nothing")
    options = parser.parse_args()
    names = options.only or list(review_models())
    reviews = train_reviews(options.storage, dict.fromkeys(names, DEMOS["reviews"].epochs), options.seeds)
    earlier_epochs = {name: epochs for name, epochs in EARLIER.items() if name in names}
    earlier = train_reviews(options.storage / "keras2-epsilon", earlier_epochs, options.seeds, epsilon=EARLIER_EPSILON)
    if options.only:
        return
    observed = study_storms(options.storms or options.storage / "storms", options.seeds)
    figures(reviews)
    plain, again = read_runs(PLAIN, "keras3"), read_runs(PLAIN, "keras3, nudged")
    (DOCS / "reproduction.md").write_text(page(reviews, earlier, observed, plain, again), encoding="utf-8")


def train_reviews(storage: Path, epochs: Mapping[str, int], seeds: int, *, epsilon: float = 1e-7) -> Result:
    """Train nets as the tutorial did: the test half is the validation data."""
    demo, data = DEMOS["reviews"], None
    results = []
    models = review_models()
    for name, many in epochs.items():
        kept = finished(storage / name, seeds)
        if kept is not None:
            results.append(kept)
            continue
        data = data or datasets.imdb(os.environ.get(demo.variable), split="tutorial")
        model = models[name]
        model.optimizer.epsilon = epsilon
        began = time.perf_counter()
        study = Study({name: model}, seeds=seeds, storage=storage / name)
        results.append(study.run(data, epochs=many, batch_size=demo.batch_size, progress=False))
        print(f"{name}: {seeds} seeds, {time.perf_counter() - began:.1f} s in this run", flush=True)
    return joined(results)


def finished(folder: Path, seeds: int) -> Result | None:
    """Return what a folder holds, if all its runs are done; a later version need not be able to continue the study."""
    if not Store.exists(folder):
        return None
    result = load(folder)
    done = len(result.seeds) >= seeds and bool((result.runs["status"] == "completed").all())
    return result if done else None


def study_storms(folder: Path, seeds: int) -> Result:
    """Train the storm nets in a folder, unless a saved result lies there."""
    if (folder / "result.nc").exists():
        return load(folder)
    demo = DEMOS["storms"]
    return demo.run(demo.load(), seeds=seeds, storage=folder, progress=False)


def figures(result: Result) -> None:
    """Draw the tutorial's five figures, with every seed and a band of the mean."""
    for name, (other, which, title) in FIGURES.items():
        display = LearningCurvesDisplay.from_result(result, variants=["original", other], which=which)
        ax = display.plot()
        ax.set_title(title)
        ax.figure.savefig(DOCS / "images" / f"{name}.png", dpi=110, bbox_inches="tight")


def page(reviews: Result, earlier: Result, storms: Result, plain: Runs, again: Runs) -> str:
    """Fill the template with what the results say."""
    data, storm_data = reviews.manifest["data"], storms.manifest["data"]
    full = [name for name, epochs in EARLIER.items() if epochs == DEMOS["reviews"].epochs]
    return TEMPLATE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        versions=f"gengap {__version__}, Keras {reviews.manifest['versions']['keras']}, Python "
        f"{platform.python_version()}, {os.cpu_count()} CPU cores",
        n_train=f"{data['n_train']:,}",
        n_validation=f"{data['n_validation']:,}",
        seeds=len(reviews.seeds),
        epochs=int(reviews.history.sizes["epoch"]),
        batch_size=reviews.manifest["settings"]["batch_size"],
        seconds=f"{float(reviews.runs['seconds'].sum()):,.0f}",
        reviews=to_markdown(retell_reviews(reviews)),
        pictures="\n\n".join(f"![{title}](images/{name}.png)" for name, (_, _, title) in FIGURES.items()),
        plain=to_markdown(side_by_side(reviews, plain)),
        itself=to_markdown(against_itself(plain, again)),
        laws=to_markdown(by_law(reviews, earlier)),
        earlier=to_markdown(retell_reviews(earlier.select(full))),
        audit=audited(reviews),
        storm_source=source_of(storms),
        n_storms=f"{storm_data['n_train']:,}",
        storm_seeds=len(storms.seeds),
        storms=to_markdown(retell_storms(storms)),
        storm_audit=audited(storms),
    )


def audited(result: Result) -> str:
    """Write the findings of an audit as a list."""
    return "\n".join(f"- {finding}" for finding in audit(result).findings)


def source_of(storms: Result) -> str:
    """Say what the storms are."""
    if storms.manifest["data"]["synthetic"]:
        return (
            "The course's archive was not at hand: its nets were trained on **synthetic** storms, so no score is set "
            "beside the course's."
        )
    return "Trained and scored on the course's own archive."


if __name__ == "__main__":
    main()
