"""What the two estimators have in common: parameters, checks of inputs, and how they are copied and pickled."""

import copy
import pickle
import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self, final

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, validate_data

from gengap.datasets.folds import CrossValidation
from gengap.datasets.split import Split, Task
from gengap.errors import DataError
from gengap.estimators.building import model_of_fit
from gengap.estimators.fitting import Fitted, fit_study
from gengap.remedies.base import Remedy
from gengap.results import Result

_REQUEST = "_metadata_request"
"""Where scikit-learn keeps what an estimator asks of metadata."""


@dataclass(frozen=True)
class _Packed:
    """Something that Keras warns of when it is unpickled."""

    content: bytes


class StudyEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Fits by a study; see the two classes that users take."""

    def __init__(
        self,
        model: Any = None,
        *,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        remedies: Sequence[Remedy | str] = (),
        seeds: int | Sequence[int] = 3,
        cv: int | CrossValidation | None = None,
        ensemble: bool = False,
        study_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.remedies = remedies
        self.seeds = seeds
        self.cv = cv
        self.ensemble = ensemble
        self.study_kwargs = study_kwargs

    @abstractmethod
    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Choose by a study, and train the choice on all cases."""

    @property
    def result_(self) -> Result:
        """The result of the study that chose."""
        return self._whole().result

    @property
    def variant_(self) -> str:
        """Name of the chosen variant."""
        return self._whole().variant

    @property
    def epochs_(self) -> int:
        """Epochs that the choice was trained for on all cases."""
        return self._whole().epochs

    @property
    def models_(self) -> tuple[keras.Model, ...]:
        """The trained models that are kept."""
        return self._whole().models

    @property
    def model_(self) -> keras.Model:
        """The trained model of the first seed."""
        return self._whole().models[0]

    @property
    def history_(self) -> Mapping[str, list[float]]:
        """Curves of the training on all cases."""
        return self._whole().history

    @property
    def seconds_(self) -> Mapping[str, float]:
        """Wall time of the study and of the training on all cases."""
        return self._whole().seconds

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether `fit` has come to its end."""
        return "_fitted" in vars(self)

    def __sklearn_tags__(self) -> Any:
        """Say that sparse rows and inputs of more axes are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_clone__(self) -> Self:
        """Return an estimator that is not fitted; a Keras model is shared, since no fit changes it."""
        own = self.get_params(deep=False)
        copied = {name: v if isinstance(v, keras.Model) else clone(v, safe=False) for name, v in own.items()}
        other = type(self)(**copied)
        if (told := vars(self).get(_REQUEST)) is not None:
            setattr(other, _REQUEST, copy.deepcopy(told))
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Pack what holds Keras models, so that `__setstate__` unpacks it without Keras' warning."""
        state = dict(super().__getstate__())
        packed = {k: _Packed(pickle.dumps(v)) for k, v in state.items() if isinstance(v, keras.Model | Fitted)}
        return {**state, **packed}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Unpack; that an optimizer starts afresh is no news."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            # whoever unpickles the estimator trusts what is packed in it
            whole = {k: pickle.loads(v.content) if isinstance(v, _Packed) else v for k, v in state.items()}  # noqa: S301
        super().__setstate__(whole)

    @final
    def _checked(self, X: Any, *, reset: bool) -> Any:
        """Return inputs as an array or CSR rows, and keep or check the number of features."""
        return validate_data(self, X, reset=reset, accept_sparse="csr", allow_nd=True)

    @final
    def _fit(
        self,
        x: Any,
        y: NDArray[Any],
        *,
        task: Task,
        labels: int,
        sample_weight: NDArray[np.float64] | None,
        groups: Any,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        if groups is not None:
            check_consistent_length(x, groups)
        model = model_of_fit(self.model, x, y, task=task, labels=labels, model_kwargs=self.model_kwargs)
        self._fitted = fit_study(
            model,
            Split(x, y, sample_weight, None if groups is None else np.asarray(groups)),
            remedies=self.remedies,
            seeds=self.seeds,
            cv=self.cv,
            labels=labels,
            ensemble=self.ensemble,
            fit_kwargs=self.fit_kwargs,
            study_kwargs=self.study_kwargs,
            class_weight=class_weight,
        )

    @final
    def _forecasts(self, X: Any) -> NDArray[np.float64]:
        return self._whole().forecasts(self._checked(X, reset=False))

    @final
    def _whole(self) -> Fitted:
        check_is_fitted(self)
        return self._fitted


def checked_weights(sample_weight: Any, x: Any) -> NDArray[np.float64] | None:
    """Return weights of cases, `(n,)`, none of them negative; None where none are given.

    Raises:
        DataError: They have another shape, or one is negative.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        return np.full(x.shape[0], float(sample_weight))
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (x.shape[0],):
        raise DataError(f"Sample weights must have shape ({x.shape[0]},); received {weights.shape}.")
    if (weights < 0).any():
        raise DataError(f"Sample weights must not be negative; the smallest is {weights.min():.6g}.")
    return np.asarray(weights)
