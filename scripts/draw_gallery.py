"""Draw every figure on real data for docs/gallery.md: `python scripts/draw_gallery.py --storage /tmp/gallery-store`.

The study is the soundings demo; runs lie in the storage, so that a second call only draws. `--also svg pdf` writes the
same figures as vectors into the folder given by `--to`. What is drawn is also kept as numbers, `numbers.json` beside
the pictures; a figure that shows other numbers than those kept is named, so that a changed picture is never a surprise.
"""

import argparse
import io
import json
import os
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("MPLBACKEND", "Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import gengap as gg
from gengap import plots
from gengap.datasets import Dataset
from gengap.plots.predictive_distribution import PredictiveDistributionDisplay
from gengap.plots.style import style
from gengap.plots.uncertainty_quality import EntropyErrorDisplay, RateChoiceDisplay
from gengap.results import Result
from gengap.verification import Platt, case_brier_scores
from gengap_examples.demos import DEMOS

DOCS = Path(__file__).parents[1] / "docs"
DPI = 110
SEEDS = 10


class Material:
    """The study, its data and forecasts, made when a figure first asks for them."""

    def __init__(self, storage: Path) -> None:
        self.storage = storage
        self.demo = DEMOS["soundings"]
        self.data: Dataset = self.demo.load()

    @cache  # noqa: B019  one object for the whole script
    def result(self) -> Result:
        """Six variants, ten seeds."""
        study = self.demo.study(seeds=SEEDS, storage=self.storage / "soundings")
        return study.run(self.data, epochs=self.demo.epochs, batch_size=self.demo.batch_size, progress=False)

    @cache  # noqa: B019
    def forecasts(self) -> dict[str, Any]:
        """Mean forecast of ten seeds on the storms of 2004, of the baseline and two remedies."""
        mean = self.result().test["prediction_best"].mean("seed")
        return {name: mean.sel(variant=name).values for name in ("baseline", "dropout(0.5)", "l2(0.01)")}

    @property
    def y(self) -> Any:
        """What happened."""
        return self.result().test["y_true"].values

    @property
    def days(self) -> Any:
        """The day of each sounding."""
        return self.data.test.groups

    @cache  # noqa: B019
    def distribution(self) -> gg.PredictiveDistribution:
        """The dropout net's thousand forecasts of each storm of 2004."""
        return gg.predict_distribution(self.result().model("dropout(0.5)"), self.data.test.x, num_members=1000)

    @cache  # noqa: B019
    def patients(self) -> tuple[Any, Any]:
        """Progression of diabetes in patients that were held out, and a dropout net's twenty forecasts of each."""
        data = gg.datasets.load("diabetes")
        keras.utils.set_random_seed(1)
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((10,)), layers.Dense(64, activation="relu"), layers.Dropout(0.3),
            layers.Dense(64, activation="relu"), layers.Dropout(0.3), layers.Dense(1),
        ])  # fmt: skip
        model.compile(keras.optimizers.Adam(3e-3), "mse")
        centre = float(np.mean(data.train.y))
        model.fit(data.train.x, np.asarray(data.train.y) - centre, epochs=60, batch_size=32, verbose=0)
        x = np.concatenate([data.validation.x, data.test.x])
        y = np.concatenate([data.validation.y, data.test.y]).astype(np.float64).ravel()
        members = gg.predict_distribution(model, x, num_members=20).members
        return y, members.transpose("sample", "member", ...).values.reshape(len(y), -1) + centre

    @cache  # noqa: B019
    def digits(self) -> Result:
        """Nets for handwritten digits: without a penalty, with L1 and with L2; three seeds."""
        demo = DEMOS["digits"]
        study = gg.Study(demo.models(), remedies=["l1(0.001)", "l2(0.001)"], seeds=3, storage=self.storage / "digits")
        return study.run(demo.load(), epochs=demo.epochs, batch_size=demo.batch_size, progress=False)


Draw = Callable[[Material], Figure]


def _figure(ax: Any) -> Figure:
    return ax.get_figure(root=True)


def _answer(m: Material) -> Figure:
    titles = {"last": "Trained to the last epoch", "best": "Stopped at the best epoch"}
    with style():
        figure, axes = plt.subplots(2, 1, figsize=(7, 6), sharex=True)
        for ax, (epoch, title) in zip(axes, titles.items(), strict=True):
            plots.ComparisonDisplay.from_comparison(gg.compare(m.result(), epoch=epoch)).plot(ax)
            ax.set_title(title, fontsize=12)
        axes[0].set_xlabel("")
    return figure


def _uncertainty(m: Material) -> Any:
    return gg.classifier_uncertainty(m.y, m.distribution(), groups=m.days)


def _ladder(m: Material) -> Figure:
    ladder = gg.capacity_ladder(
        m.demo.models(), m.data, epochs=15, seeds=5, most_rungs=8, storage=m.storage / "ladder", progress=False
    )
    return _figure(plots.CapacityDisplay.from_ladder(ladder).plot())


def _value(m: Material) -> Figure:
    model = gg.remedy("dropout(0.5)")(m.demo.models())
    value = gg.value_of_data(model, m.data, epochs=30, seeds=5, storage=m.storage / "value", progress=False)
    return _figure(plots.DataValueDisplay.from_value(value.verdict, score="log_loss").plot())


def _rates(m: Material) -> Figure:
    model = m.result().model("dropout(0.5)")
    choice = gg.choose_rate(model, m.data.validation, test_data=m.data.test, num_members=100)
    return _figure(RateChoiceDisplay.from_choice(choice).plot())


def _discard(m: Material) -> Figure:
    forecast = m.distribution()
    mean = forecast.mean.values.ravel()
    uncertainty = {"spread": forecast.spread.values.ravel(), "nearness to 1/2": -np.abs(mean - 0.5)}
    display = plots.DiscardDisplay.from_losses(case_brier_scores(m.y, mean), uncertainty, ylabel="Mean Brier score")
    return _figure(display.plot())


def _recalibration(m: Material) -> Figure:
    result = m.result()
    run = {"variant": "baseline", "seed": result.seeds[0]}
    validation, test = (part["prediction_last"].sel(run).values for part in (result.validation, result.test))
    fitted = Platt.fit(result.validation["y_true"].values, validation)
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(9.2, 4.8))
        for ax, title, p in zip(axes, ("Before", "After"), (test, fitted.apply(test)), strict=True):
            plots.ReliabilityDisplay.from_predictions(m.y, p).plot(ax)
            ax.set_title(title)
    return figure


FIGURES: dict[str, tuple[str, Draw]] = {
    "learning_curves": (
        (
            "Learning curves: every seed thin, the mean thick, its pointwise 95 % band shaded. The distance between "
            "the dotted and the full line is the gap."
        ),
        lambda m: plots.LearningCurvesDisplay.from_result(m.result(), variants=m.result().variants[:4]).figure(),
    ),
    "learning_curves_pairs": (
        "The same, each remedy beside the baseline on equal axes, as the review tutorial draws it.",
        lambda m: plots.LearningCurvesDisplay.from_result(m.result()).plot_pairs(),
    ),
    "comparison": (
        "Comparison: differences from the baseline with simultaneous intervals, and the verdicts.",
        lambda m: _figure(plots.ComparisonDisplay.from_comparison(gg.compare(m.result())).plot()),
    ),
    "answer": (
        (
            "The same at the last epoch and at the best. The five intervals of each panel hold simultaneously with "
            "95.5 % confidence."
        ),
        _answer,
    ),
    "table": (
        "A table as a figure.",
        lambda m: _figure(plots.TableDisplay.from_table(gg.summarize(m.result())).plot()),
    ),
    "roc": (
        "ROC curves with pointwise bands over days; areas with their intervals.",
        lambda m: _figure(plots.RocDisplay.from_predictions(m.y, m.forecasts(), groups=m.days).plot()),
    ),
    "performance": (
        (
            "Performance diagram (Roebber 2009): rays of equal bias, contours of equal critical success index, the "
            "largest of which is starred; crosses are pointwise intervals."
        ),
        lambda m: _figure(
            plots.PerformanceDisplay.from_predictions(m.y, m.forecasts()["dropout(0.5)"], groups=m.days).plot()
        ),
    ),
    "attributes": (
        (
            "Attributes diagram (Hsu & Murphy 1986): a bin in the shaded area adds skill. Pale bars hold 95 % of the "
            "frequencies that calibrated, independent forecasts would show."
        ),
        lambda m: _figure(
            plots.AttributesDisplay.from_predictions(
                m.y, {name: m.forecasts()[name] for name in ("baseline", "dropout(0.5)")}
            ).plot()
        ),
    ),
    "reliability": (
        (
            "CORP reliability diagram (Dimitriadis, Gneiting & Jordan 2021): recalibration by isotonic regression, "
            "with a consistency band and the parts of the Brier score."
        ),
        lambda m: _figure(plots.ReliabilityDisplay.from_predictions(m.y, m.forecasts()["baseline"]).plot()),
    ),
    "recalibration": (
        "Recalibration: a baseline net's last epoch on test cases, before and after Platt scaling on validation.",
        _recalibration,
    ),
    "sharpness": (
        "Sharpness: how often each probability was forecast, by outcome.",
        lambda m: _figure(plots.SharpnessDisplay.from_predictions(m.y, m.forecasts()["dropout(0.5)"]).plot()),
    ),
    "predictive_distribution": (
        "One storm, a thousand passes with dropout on (the figure of the storm tutorial).",
        lambda m: _figure(
            PredictiveDistributionDisplay.from_distribution(
                m.distribution(), sample=3, xlabel="Probability of a tornado", title=f"Sounding of {m.days[3]}"
            ).plot()
        ),
    ),
    "discard": (
        "Discard test: does the loss fall as the most uncertain cases are set aside?",
        _discard,
    ),
    "entropy_error": (
        "Share of wrong decisions in classes of entropy.",
        lambda m: _figure(EntropyErrorDisplay.from_uncertainty(_uncertainty(m)).plot()),
    ),
    "rate_choice": (
        "The dropout rate at inference, chosen on validation.",
        _rates,
    ),
    "dropout_masks": (
        "Dropout and spatial dropout on a field of ones (the storm tutorial's figure).",
        lambda _: plots.DropoutMasksDisplay.from_rate(0.5).plot(),
    ),
    "dropout_scaling": (
        "Which scaling agrees with inference.",
        lambda _: _figure(plots.DropoutScalingDisplay.from_rates().plot()),
    ),
    "sparsity": (
        "Sparsity of the weights at every threshold; handwritten digits.",
        lambda m: _figure(plots.SparsityDisplay.from_result(m.digits(), declared=1e-2).plot()),
    ),
    "weights": (
        "Norms of the weights, and the same sparsity; handwritten digits.",
        lambda m: plots.WeightsDisplay.from_models(
            {v: [m.digits().model(v, seed=s) for s in m.digits().seeds] for v in m.digits().variants}, threshold=1e-2
        ).plot(),
    ),
    "capacity": (
        "Capacity ladder: units and layers added until the held-out score stops improving.",
        _ladder,
    ),
    "data_value": (
        "Would more data help?",
        _value,
    ),
    "scatter": (
        "Forecast against outcome; diabetes patients.",
        lambda m: _figure(plots.ScatterDisplay.from_predictions(m.patients()[0], m.patients()[1].mean(axis=1)).plot()),
    ),
    "rank_histogram": (
        (
            "Rank histogram of a dropout net's twenty forecasts of each patient: the spread is too small, as the noise "
            "of the outcome is not in it."
        ),
        lambda m: _figure(plots.RankHistogramDisplay.from_predictions(*m.patients()).plot()),
    ),
    "pit": (
        "The same as a histogram of the probability integral transform.",
        lambda m: _figure(plots.PitDisplay.from_predictions(*m.patients()).plot()),
    ),
    "spread_skill": (
        "Spread-skill diagram of the same forecasts: on the diagonal the spread is right.",
        lambda m: _figure(plots.SpreadSkillDisplay.from_predictions(*m.patients(), bins=5).plot()),
    ),
}


def draw(material: Material, names: list[str]) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of these names."""
    for name in names:
        yield name, FIGURES[name][1](material)
        plt.close("all")


def save_small(figure: Figure, path: Path) -> int:
    """Save a PNG of few colours, for the web, and return its size in bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    Image.open(buffer).convert("RGB").quantize(96).save(path, optimize=True)
    return path.stat().st_size


def numbers(figure: Figure) -> list[list[float]]:
    """What a figure shows: of lines, the number of points and the mean of x and y; means of bars and fields."""
    shown = []
    for ax in figure.axes:
        for line in ax.get_lines():
            drawn = np.ma.masked_invalid(np.asarray(line.get_xydata(), dtype=np.float64))
            shown.append([len(drawn), *(float(mean) for mean in np.ma.filled(drawn.mean(axis=0), 0.0))])
        heights = [bar.get_height() for bars in ax.containers for bar in getattr(bars, "patches", ())]
        if heights:
            shown.append([len(heights), float(np.mean(heights))])
        fields = [one.get_array() for one in (*ax.images, *ax.collections)]
        shown += [[field.size, float(field.mean())] for field in fields if field is not None and field.size]
    return [[float(f"{one:.4g}") for one in line] for line in shown]


def differ(kept: list[list[float]], drawn: list[list[float]]) -> bool:
    """Whether two figures show other numbers, beyond the rounding of another machine's sums."""
    if [len(line) for line in kept] != [len(line) for line in drawn]:
        return True
    return not all(np.allclose(a, b, rtol=0.02, atol=1e-3) for a, b in zip(kept, drawn, strict=True))


def page(material: Material) -> str:
    """Write the page; what each figure says stands with it."""
    reviews = {
        "smaller": "the smaller net beside the original: validation loss",
        "bigger": "the bigger net: validation loss",
        "bigger_training": "the bigger net: training loss",
        "l2": "L2(0.001)",
        "dropout": "Dropout(0.5)",
    }
    own = "\n\n".join(
        f"![{name.replace('_', ' ').capitalize()}](gallery/{name}.png)\n\n{text}"
        for name, (text, _) in FIGURES.items()
        if (DOCS / "gallery" / f"{name}.png").exists()
    )
    told = "\n\n".join(
        f"![{text[0].upper() + text[1:]}](images/reviews_{name}.png)\n\n{text[0].upper() + text[1:]}."
        for name, text in reviews.items()
    )
    return f"""# Gallery

Every figure, drawn on real data by `python scripts/draw_gallery.py`: the soundings study (six variants, {SEEDS} seeds,
{material.demo.epochs} epochs; forecasts of the {len(material.data.test.y)} soundings of 2004), handwritten digits, and
diabetes patients. Each Display draws on axes that it is given, `display.plot(ax)`, and saves as PNG, SVG or PDF like
any Matplotlib figure. Colours are Okabe and Ito's; line styles and markers tell the same in grey. Long names are cut,
and a legend that would cover the curves moves below them.

{own}

## The five figures of the review tutorial

Ten seeds of each net on the movie reviews; `python scripts/retell.py` draws them.

{told}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="figures; all by default")
    parser.add_argument("--storage", type=Path, default=Path("gallery-store"))
    parser.add_argument("--to", type=Path, default=DOCS / "gallery")
    parser.add_argument("--also", nargs="*", default=[], choices=["svg", "pdf"])
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", category=gg.errors.GengapWarning)
    material = Material(options.storage)
    store = DOCS / "gallery" / "numbers.json"
    kept = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for name, figure in draw(material, options.names or list(FIGURES)):
        for ending in options.also:
            figure.savefig(options.to / f"{name}.{ending}", bbox_inches="tight")
        print(name, f"{save_small(figure, options.to / f'{name}.png') / 1000:.0f} kB", flush=True)
        drawn = numbers(figure)
        if name in kept and differ(kept[name], drawn):
            print(f"{name} shows other numbers than those kept in {store}", flush=True)
        kept[name] = drawn
    if options.to == DOCS / "gallery":
        one_a_line = ",\n".join(f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept))
        store.write_text(f"{{\n{one_a_line}\n}}\n", encoding="utf-8")
        (DOCS / "gallery.md").write_text(page(material), encoding="utf-8")


if __name__ == "__main__":
    main()
