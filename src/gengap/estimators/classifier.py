"""`gg.StudyClassifier`: a classifier of scikit-learn that is fitted by a study."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Literal, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from gengap.datasets.folds import CrossValidation
from gengap.datasets.split import Task
from gengap.errors import DataError
from gengap.estimators.base import StudyEstimator, checked_weights
from gengap.remedies.base import Remedy


@final
class StudyClassifier(ClassifierMixin, StudyEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier whose `fit` is a study: it chooses remedy and epoch on held-out cases, then learns from all.

    `fit` trains the model and every remedy with every seed at once (a fifth of the cases is held out, or each fold of
    `cv`), takes what `gengap.recommend` says, and trains that anew on all cases, for the median number of epochs that
    the study chose. So it costs variants x seeds runs of `epochs` epochs (with `cv` as many times the number of
    folds), and one run more, or `seeds` more with `ensemble`; `seconds_` says what it took.

    Equal arguments and data give equal forecasts: `seeds` fixes all that is random. No global state is changed, and a
    model that is given stays as it is.

    Args:
        model: A compiled Keras model; a function of `X, y, **model_kwargs` that returns one, as
            `keras.wrappers.SKLearnClassifier` takes it (`y` is one-hot); None takes two small Dense layers behind a
            standardization (sparse rows are not standardized).
        model_kwargs: Keywords of that function.
        fit_kwargs: `epochs` (30 at most by default), `batch_size`, `shuffle`, and `verbose` to see how far it is.
        remedies: What to try: `gg.Dropout(0.5)`, or `"dropout(0.5)+l2(0.001)"`.
        seeds: Number of seeds, or the seeds themselves.
        cv: A number of folds or a `gg.CrossValidation`: the study then chooses on all cases, each held out once.
        class_weight: Weights of the labels in the objective, by label, or `"balanced"`; the choice does not use them.
        ensemble: Whether the mean forecast of a model for every seed is predicted, or that of the first seed.
        search: In place of `remedies`, where their strengths are sought, as `gg.search` takes it; `"auto"` for what
            fits model and data. Trials are chosen on the held-out fifth, finalists trained anew with fresh seeds.
        n_trials: Number of trials of the search.
        study_kwargs: Further arguments of `gg.Study`, such as `initial_weights="keep"`, `score="brier_score"`.

    Attributes:
        classes_: The labels, sorted.
        result_: The result of the study that chose: `gg.compare(result_)`, `gg.report(result_, "report.html")`.
        variant_: Name of the chosen variant.
        epochs_: Epochs that the choice was trained for on all cases.
        model_: The trained Keras model, of the first seed; `models_` holds all that are kept.
        history_: Per epoch, loss, penalty and metrics of its training on all cases.
        seconds_: Wall time of `"study"` and `"refit"`.
        n_features_in_: Number of features.
        feature_names_in_: Their names, where `X` was a data frame.

    Example:
        >>> import gengap as gg
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True, as_frame=True)
        >>> classifier = gg.StudyClassifier(remedies=["dropout(0.2)"], seeds=2, fit_kwargs={"epochs": 20})
        >>> classifier.fit(x, y).predict_proba(x).shape
        (150, 3)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        remedies: Sequence[Remedy | str] = (),
        seeds: int | Sequence[int] = 3,
        cv: int | CrossValidation | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        ensemble: bool = False,
        search: Mapping[Any, Any] | Literal["auto"] | None = None,
        n_trials: int = 16,
        study_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            model,
            model_kwargs=model_kwargs,
            fit_kwargs=fit_kwargs,
            remedies=remedies,
            seeds=seeds,
            cv=cv,
            ensemble=ensemble,
            search=search,
            n_trials=n_trials,
            study_kwargs=study_kwargs,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Choose variant and epoch by a study, and train the choice on all cases.

        Args:
            X: Inputs, `(n, features)` or of more axes; SciPy CSR rows stay sparse up to the first Dense layer.
            y: Labels of any kind, `(n,)`.
            sample_weight: What each case counts, in the objective and where the study chooses.
            groups: Groups of cases that are not independent: they stay whole where cases are held out.

        Returns:
            The estimator.

        Raises:
            DataError: The data cannot be used as given, such as a single label.
            ModelError: The model cannot be used, or predicts something else.
        """
        x = self._checked(X, reset=True)
        labels = column_or_1d(y, warn=True)
        check_consistent_length(x, labels)
        check_classification_targets(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"A classifier needs two classes to learn from; y holds one class only: {classes[0]!r}.")
        weight = checked_weights(sample_weight, x)
        own = self._class_weight(classes, codes)
        task: Task = "binary" if len(classes) == 2 else "multiclass"
        self.classes_ = classes
        self._fit(x, codes, task=task, labels=len(classes), sample_weight=weight, groups=groups, class_weight=own)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every label, `(n, labels)`, in the order of `classes_`."""
        found = self._forecasts(X)
        if found.ndim == 1:
            return np.stack([1 - found, found], axis=1)
        found /= found.sum(axis=1, keepdims=True)  # they add up to 1 in single precision only
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of every case."""
        most_probable = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[most_probable])

    def _class_weight(self, classes: NDArray[Any], codes: NDArray[np.int64]) -> dict[int, float] | None:
        """Return weights by code."""
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, Mapping):
            if unknown := [one for one in self.class_weight if one not in classes]:
                raise DataError(f"`class_weight` names {unknown}; the labels of y are {classes.tolist()}.")
            own: list[Any] = [self.class_weight.get(one, 1.0) for one in classes.tolist()]
            if unread := [one for one in own if not isinstance(one, Real)]:
                raise DataError(f"`class_weight` must hold numbers; received {unread[0]!r}.")
            return {code: float(one) for code, one in enumerate(own)}
        if self.class_weight != "balanced":
            raise DataError(f"`class_weight` must be a mapping, 'balanced' or None; received {self.class_weight!r}.")
        weights = compute_class_weight("balanced", classes=np.arange(len(classes)), y=codes)
        return dict(enumerate(map(float, weights)))
