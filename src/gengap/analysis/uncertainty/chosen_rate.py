"""A chosen rate of dropout as a value: it is read from its file, and reported, without Keras."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from gengap.datasets.split import Task
from gengap.errors import StoreError
from gengap.verification import Estimate

_FORMAT = "gengap choice of the rate 1"


@dataclass(frozen=True, eq=False)
class RateChoice:
    """What the sweep of the rate found.

    Attributes:
        task: What the model predicts.
        score: Name of the score of choice; smaller is better.
        swept: `"rate"` or `"scale"`: what the grid holds.
        table: One row per candidate on validation: its `setting`, `score`, `gain` over the reference with `low` and
            `high`, and what it did to the uncertainty: `spread`, `discard_improvement`, `monotonicity_fraction` and,
            for regression, `ssrat`. The first row is the deterministic forecast, the second the trained rates.
        rates: Chosen strength of every noise layer by name: the `rate` for `predict_distribution`.
        trained: What the model was trained with.
        gain: By split (`"validation"`, `"test"`, or `"folds"` of validation cases): how much lower the score is than
            the reference's. The one on validation is flattered by having been chosen; the one on test is not, nor is
            that of folds, each of which is forecast at the rate that all others choose.
        quality: Summaries of the uncertainty with the trained and with the chosen rates, one column each, on test where
            there is one.
        findings: What a reader should know, in sentences.
    """

    task: Task
    score: str
    swept: str
    table: pd.DataFrame
    rates: Mapping[str, float]
    trained: Mapping[str, float]
    gain: Mapping[str, Estimate]
    quality: pd.DataFrame
    findings: tuple[str, ...]

    def to_json(self, path: str | Path) -> None:
        """Write the choice to a JSON file."""
        frames = {name: getattr(self, name).to_dict("split") for name in ("table", "quality")}
        plain = {name: getattr(self, name) for name in ("task", "score", "swept", "findings")}
        gain = {split: asdict(estimate) for split, estimate in self.gain.items()}
        rates = {"rates": dict(self.rates), "trained": dict(self.trained)}
        Path(path).write_text(
            json.dumps({"format": _FORMAT, **plain, **rates, "gain": gain, **frames}), encoding="utf-8"
        )

    @classmethod
    def from_json(cls, path: str | Path) -> "RateChoice":
        """Read a choice that `to_json` wrote.

        Raises:
            StoreError: The file is not such a choice.
        """
        try:
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError:
            stored = None
        if not isinstance(stored, dict) or stored.pop("format", None) != _FORMAT:
            raise StoreError(f"{path} is not a choice of the rate of gengap.")
        for name in ("table", "quality"):
            stored[name] = pd.DataFrame(**stored[name])
        stored["table"].index.name = "setting"
        stored["gain"] = {split: Estimate(**estimate) for split, estimate in stored["gain"].items()}
        return cls(**{**stored, "findings": tuple(stored["findings"])})

    def _repr_html_(self) -> str:
        said = "".join(f"<li>{sentence}</li>" for sentence in self.findings)
        return f"<ul>{said}</ul>{self.table.to_html(float_format='{:.4f}'.format)}"
