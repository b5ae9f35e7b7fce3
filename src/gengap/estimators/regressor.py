"""`gg.StudyRegressor`: a regressor of scikit-learn that is fitted by a study."""

from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_array, check_consistent_length

from gengap.errors import DataError
from gengap.estimators.base import StudyEstimator, checked_weights


@final
class StudyRegressor(RegressorMixin, StudyEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor whose `fit` is a study: it chooses remedy and epoch on held-out cases, then learns from all.

    All that `StudyClassifier` says of cost and of what is random holds here too.

    Args:
        model: A compiled Keras model; a function of `X, y, **model_kwargs` that returns one, as
            `keras.wrappers.SKLearnRegressor` takes it; None takes two small Dense layers behind a standardization
            (sparse rows are not standardized), whose output has the scale of the answers.
        model_kwargs: Keywords of that function.
        fit_kwargs: `epochs` (30 at most by default), `batch_size`, `shuffle`, and `verbose` to see how far it is.
        remedies: What to try: `gg.Dropout(0.5)`, or `"dropout(0.5)+l2(0.001)"`.
        seeds: Number of seeds, or the seeds themselves.
        cv: A number of folds or a `gg.CrossValidation`: the study then chooses on all cases, each held out once.
        ensemble: Whether the mean forecast of a model for every seed is predicted, or that of the first seed.
        study_kwargs: Further arguments of `gg.Study`, such as `initial_weights="keep"`.

    Attributes:
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
        >>> from sklearn.datasets import load_diabetes
        >>> x, y = load_diabetes(return_X_y=True)
        >>> gg.StudyRegressor(remedies=["l2(0.01)"], seeds=2, fit_kwargs={"epochs": 5}).fit(x, y).predict(x).shape
        (442,)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Choose variant and epoch by a study, and train the choice on all cases.

        Args:
            X: Inputs, `(n, features)` or of more axes; SciPy CSR rows stay sparse up to the first Dense layer.
            y: Numbers, `(n,)` or `(n, targets)`.
            sample_weight: What each case counts, in the objective and where the study chooses.
            groups: Groups of cases that are not independent: they stay whole where cases are held out.

        Returns:
            The estimator.

        Raises:
            DataError: The data cannot be used as given.
            ModelError: The model cannot be used, or predicts something else.
        """
        if y is None:
            raise DataError("StudyRegressor requires y to be passed, but the target y is None.")
        x = self._checked(X, reset=True)
        answers = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        check_consistent_length(x, answers)
        self._column = answers.ndim == 2 and answers.shape[1] == 1
        answers = answers[:, 0] if self._column else answers
        weight = checked_weights(sample_weight, x)
        self._fit(x, answers, task="regression", labels=0, sample_weight=weight, groups=groups)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return a number, or one for each target, for every case, in the shape of `y`."""
        found = self._forecasts(X)
        return found[:, None] if self._column else found

    def __sklearn_tags__(self) -> Any:
        """Say that several targets are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
