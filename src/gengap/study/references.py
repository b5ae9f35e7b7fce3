"""References: models of scikit-learn on the same cases, so that a network is held against something simple."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gengap.analysis.cases import CaseScore, case_scores
from gengap.datasets.cases import arrays_of
from gengap.datasets.output_kind import OutputKind, scored_answers
from gengap.datasets.training_data import TrainingData
from gengap.errors import DataError, UnknownNameError
from gengap.naming import check_names, did_you_mean

References = Sequence[str] | Mapping[str, Any]
"""Names of built-in references, or estimators (or such names) by the name that they are to have."""
Array = NDArray[Any]

BUILT_IN = ("linear", "boosted_trees")
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2)
_ROUNDS = (10, 30, 100, 300)


@dataclass(frozen=True, eq=False)
class Reference:
    """What stands beside the networks.

    Attributes:
        name: Its name among the variants.
        candidates: Estimators of which the one with the best validation score is taken; one where nothing is chosen.
        chosen_by: The argument in which candidates differ, in words; the empty string for one.
    """

    name: str
    candidates: tuple[Any, ...]
    chosen_by: str = ""


@dataclass(frozen=True, eq=False)
class FittedReference:
    """A reference after its fits.

    Attributes:
        name: Its name among the variants.
        forecasts: Probabilities or real numbers by held-out split, float32, shape `(seeds, n)` or `(seeds, n, labels)`.
        parameters: Number of coefficients; 0 where it is not known.
        seconds: Wall time of a fit.
        said: What it is, for the manifest: class, settings, what was chosen, what was done to the inputs.
    """

    name: str
    forecasts: Mapping[str, Array]
    parameters: int
    seconds: float
    said: Mapping[str, Any]


def check_references(given: References, variants: Sequence[str], kind: OutputKind) -> tuple[Any, ...]:
    """Bring references into one form, before anything is known of the data.

    Args:
        given: What the user asked for.
        variants: Names of the networks.
        kind: How their output is read.

    Raises:
        UnknownNameError: There is no built-in reference of this name.
        DataError: An estimator lacks a method, or has the name of a variant.
    """
    if isinstance(given, str):
        given = (given,)
    named = dict(given) if isinstance(given, Mapping) else {_usual_name(one, kind): one for one in given}
    check_names(list(named), "references", error=DataError)
    for name, one in named.items():
        if name in variants:
            raise DataError(f"There is already a variant named {name!r}: give the reference another name.")
        if isinstance(one, str):
            _usual_name(one, kind)
            continue
        wanted = ("fit", "predict") if kind.task == "regression" else ("fit", "predict_proba")
        if missing := [method for method in wanted if not callable(getattr(one, method, None))]:
            raise DataError(
                f"Reference {name!r} is a {type(one).__name__} without {missing[0]!r}: a reference needs `fit`, and "
                "`predict_proba` (in regression `predict`), as scikit-learn's estimators have them."
            )
    return tuple(named.items())


def _usual_name(built_in: Any, kind: OutputKind) -> str:
    if built_in not in BUILT_IN:
        near, known = did_you_mean(built_in, BUILT_IN), ", ".join(map(repr, BUILT_IN))
        raise UnknownNameError(
            f"There is no reference {built_in!r}{near}: choose from {known}, or give estimators of scikit-learn by "
            "name, as in `references={'forest': RandomForestClassifier()}`."
        )
    if built_in == "boosted_trees":
        return "gradient-boosted trees"
    return "ridge regression" if kind.task == "regression" else "logistic regression"


def fit_references(
    given: Sequence[tuple[str, Any]], data: TrainingData, kind: OutputKind, *, seeds: Sequence[int], score: CaseScore
) -> tuple[FittedReference, ...]:
    """Fit all references on the training cases, and let them forecast the held-out ones.

    Where an estimator has a `random_state` that the user left open, it takes the seed of every run in turn; where it
    has none, all runs are the same fit. Built-in ones choose their strength by the validation score, as networks choose
    their epoch.

    Args:
        given: What `check_references` returned.
        data: The checked splits.
        kind: How the networks' output is read.
        seeds: Seeds of the study.
        score: The common score.

    Raises:
        DataError: A reference cannot be fitted on these data, or does not give forecasts.
    """
    table, said = _tables(data)
    return tuple(
        _fitted(_reference(name, one, table, kind), _Work(name, kind, table, data), seeds, score, said)
        for name, one in given
    )


def _reference(name: str, given: Any, table: Mapping[str, Any], kind: OutputKind) -> Reference:
    if given == "linear":
        candidates = tuple(_linear(strength, table["train"], kind) for strength in _STRENGTHS)
        return Reference(name, candidates, "alpha" if kind.task == "regression" else "C")
    if given == "boosted_trees":
        if sparse.issparse(table["train"]):
            raise DataError(
                "Gradient-boosted trees take dense rows, and the inputs are sparse: take `references=['linear']`, "
                "which takes them as they are, or an estimator of your own that does."
            )
        return Reference(name, tuple(_trees(rounds, kind) for rounds in _ROUNDS), "max_iter")
    return Reference(name, (given,))


def _linear(strength: float, train: Any, kind: OutputKind) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind.task == "regression":
        model: Any = Ridge(alpha=10 * strength)
    else:
        model = LogisticRegression(C=strength, max_iter=3000)
    # penalties need one scale; sparse text would lose its zeros, and has one already
    return model if sparse.issparse(train) else make_pipeline(StandardScaler(), model)


def _trees(rounds: int, kind: OutputKind) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    if kind.task != "regression":
        return HistGradientBoostingClassifier(max_iter=rounds, early_stopping=False)
    model = HistGradientBoostingRegressor(max_iter=rounds, early_stopping=False)
    return MultiOutputRegressor(model) if kind.width > 1 else model


def _tables(data: TrainingData) -> tuple[dict[str, Any], str]:
    """Inputs of every split as one table: sparse rows as they are, more axes and several inputs side by side."""
    splits = {"train": data.train, **data.held_out()}
    parts = {name: [part for _, part in arrays_of(split.x)] for name, split in splits.items()}
    first, said = parts["train"], ""
    if len(first) > 1:
        said = f"its {len(first)} inputs stand side by side, each flattened"
    elif first[0].ndim > 2:
        said = f"inputs of shape {tuple(first[0].shape[1:])} are flattened"
    return {name: _one_table(found) for name, found in parts.items()}, said


def _one_table(parts: Sequence[Any]) -> Any:
    flat = [one if sparse.issparse(one) else np.asarray(one).reshape(len(one), -1) for one in parts]
    if len(flat) == 1:
        return flat[0]
    return sparse.hstack(flat, format="csr") if any(map(sparse.issparse, flat)) else np.concatenate(flat, axis=1)


def _fitted(reference: Reference, work: "_Work", seeds: Sequence[int], score: CaseScore, said: str) -> FittedReference:
    chosen = work.best(reference.candidates, seeds[0], score)
    began = time.perf_counter()
    fit = work.fit(chosen, seeds[0])
    seconds = time.perf_counter() - began
    forecasts = _over_seeds(work, chosen, fit, seeds)
    varies = any(np.ptp(one, axis=0).max() > 0 for one in forecasts.values())
    return FittedReference(
        reference.name,
        forecasts,
        _coefficients(fit),
        seconds,
        {
            "estimator": " ".join(str(chosen).split()),
            "chosen": _chosen(reference, chosen) if work.chooses(reference.candidates) else "",
            "inputs": said,
            "varies_with_seed": bool(varies),
        },
    )


def _over_seeds(work: "_Work", estimator: Any, first: Any, seeds: Sequence[int]) -> dict[str, Array]:
    """Forecasts for every held-out split of one fit for each seed.

    An estimator without randomness, or whose second seed gives the very forecasts of the first, is not fitted again.
    """
    rows = [work.forecasts(first)]
    for seed in seeds[1:] if _open_states(estimator) else ():
        rows.append(work.forecasts(work.fit(estimator, seed)))
        if len(rows) == 2 and all(np.array_equal(rows[0][part], rows[1][part]) for part in rows[0]):
            rows = rows[:1]
            break
    return {
        part: np.stack([row[part] for row in rows]) if len(rows) > 1 else np.stack([one] * len(seeds))
        for part, one in rows[0].items()
    }


@dataclass(frozen=True, eq=False)
class _Work:
    """The fits of one reference."""

    name: str
    kind: OutputKind
    table: Mapping[str, Any]
    data: TrainingData

    def chooses(self, candidates: Sequence[Any]) -> bool:
        """Whether one of the candidates is chosen on validation."""
        return len(candidates) > 1 and "validation" in self.table

    def forecasts(self, fit: Any) -> dict[str, NDArray[np.float32]]:
        """What a fit forecasts for every held-out split."""
        return {part: self.forecast(fit, part) for part in self.data.held_out()}

    def best(self, candidates: Sequence[Any], seed: int, score: CaseScore) -> Any:
        """The candidate of the best validation score; without validation the one in the middle."""
        if not self.chooses(candidates):
            return candidates[len(candidates) // 2]
        weight = self.data.held_out()["validation"].sample_weight
        losses = []
        for one in candidates:
            forecast = self.forecast(self.fit(one, seed), "validation")
            values = case_scores(self._answers("validation"), forecast, score=score, task=self.kind.task)
            losses.append(float(np.average(values, weights=weight)))
        return candidates[int(np.argmin(losses))]

    def fit(self, estimator: Any, seed: int) -> Any:
        """A fresh fit on the training cases."""
        from sklearn.base import clone
        from sklearn.exceptions import ConvergenceWarning

        fresh = clone(estimator) if hasattr(estimator, "get_params") else estimator
        if states := _open_states(fresh):
            fresh.set_params(**dict.fromkeys(states, seed % 2**32))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the validation score judges what came of it
                return fresh.fit(self.table["train"], self._y(), **self._weights(fresh))
        except (ValueError, TypeError, MemoryError) as reason:
            line = (str(reason).splitlines() or [type(reason).__name__])[0]
            raise DataError(f"Reference {self.name!r} cannot be fitted on these data: {line}") from reason

    def forecast(self, fit: Any, part: str) -> NDArray[np.float32]:
        """What a fit forecasts for the cases of a split, in the form that networks' forecasts have."""
        x, answers = self.table[part], self._answers(part)
        if self.kind.task == "regression":
            found = np.asarray(fit.predict(x), np.float64).reshape(answers.shape)
        else:
            found = self._of_labels(np.asarray(fit.predict_proba(x), np.float64), np.asarray(fit.classes_))
        if not np.isfinite(found).all():
            raise DataError(f"Reference {self.name!r} forecasts values that are not finite.")
        return found.astype(np.float32)

    def _of_labels(self, proba: NDArray[np.float64], classes: Array) -> NDArray[np.float64]:
        width = 2 if self.kind.task == "binary" else self.kind.width
        whole = np.zeros((len(proba), width))
        whole[:, classes.astype(np.int64)] = proba
        return whole[:, 1] if self.kind.task == "binary" else whole

    def _answers(self, part: str) -> Array:
        split = self.data.train if part == "train" else self.data.held_out()[part]
        return np.asarray(scored_answers(split.y, self.kind))

    def _y(self) -> Array:
        y = self._answers("train")
        return y if self.kind.task == "regression" else y.astype(np.int64)

    def _weights(self, estimator: Any) -> dict[str, Any]:
        """The cases' weights under the name that an estimator takes them by."""
        weight = self.data.train.sample_weight
        if weight is None:
            return {}
        from sklearn.utils.validation import has_fit_parameter

        last = getattr(estimator, "steps", [("", estimator)])[-1]
        if not has_fit_parameter(last[1], "sample_weight"):
            raise DataError(
                f"The training cases have weights, and reference {self.name!r} takes none: leave the reference out, or "
                "take one whose `fit` has `sample_weight`."
            )
        return {f"{last[0]}__sample_weight" if last[0] else "sample_weight": np.asarray(weight)}


def _open_states(estimator: Any) -> list[str]:
    """Names of the parameters that seed an estimator and that the user has left open."""
    if not hasattr(estimator, "get_params"):
        return []
    parameters = estimator.get_params(deep=True)
    return [name for name, value in parameters.items() if name.endswith("random_state") and value is None]


def _chosen(reference: Reference, taken: Any) -> str:
    value = next(v for k, v in taken.get_params(deep=True).items() if k.split("__")[-1] == reference.chosen_by)
    return f"{reference.chosen_by}={value:g} of {len(reference.candidates)} values, by the validation score"


def _coefficients(fit: Any) -> int:
    """Number of coefficients of a linear model, 0 for others: what they keep is not comparable."""
    last = getattr(fit, "steps", [("", fit)])[-1][1]
    arrays = [getattr(last, name, None) for name in ("coef_", "intercept_")]
    return 0 if arrays[0] is None else int(sum(np.size(one) for one in arrays if one is not None))
