"""Diabetes patients: how far will the disease have progressed in a year?"""

import numpy as np

from gengap.datasets.split import Dataset, Split
from gengap.datasets.standardization import Standardization

TRAIN_END, VALIDATION_END = 265, 353  # 60 %, 80 % of 442
MEASUREMENTS = (
    ("age", "years"),
    ("sex", "1 or 2"),
    ("body mass index", "kg/m²"),
    ("mean blood pressure", "mmHg"),
    ("total cholesterol", "mg/dL"),
    ("LDL", "mg/dL"),
    ("HDL", "mg/dL"),
    ("total cholesterol / HDL", "1"),
    ("log of triglycerides", "ln mg/dL"),
    ("blood sugar", "mg/dL"),
)


def diabetes(*, standardize: bool = True) -> Dataset:
    """Progression of diabetes in 442 patients, regression; real, 265 / 88 / 89 cases, from scikit-learn.

    scikit-learn's own scaling uses all patients, those to be predicted too; here only the training cases give it.

    Args:
        standardize: Whether inputs and answers are shifted and scaled to mean 0 and standard deviation 1 over the
            training cases. A squared error is then a share of the training variance: 1 is what the mean achieves.
            False leaves the archive's units.

    Returns:
        A regression data set. `x` has shape `(n, 10)`, float32; `y` float32, shape `(n,)`. The split is fixed.

    Example:
        >>> data = diabetes()
        >>> data.train.x.shape, data.target_units
        ((265, 10), 'standard deviations of the training cases (77.3 points)')
    """
    from sklearn.datasets import load_diabetes

    archive = load_diabetes(scaled=False)
    # The order of raw random bits is the one stream that NumPy promises never to change.
    order = np.argsort(np.random.PCG64(442).random_raw(len(archive.target)))
    x, y = archive.data[order], archive.target[order, np.newaxis]
    units = "points of disease progression (25 to 346)"
    if standardize:
        answers = Standardization.of(y[:TRAIN_END])
        x, y = Standardization.of(x[:TRAIN_END])(x), answers(y)
        units = f"standard deviations of the training cases ({answers.deviation[0]:.1f} points)"
    x, y = x.astype(np.float32), y[:, 0].astype(np.float32)
    parts = (slice(TRAIN_END), slice(TRAIN_END, VALIDATION_END), slice(VALIDATION_END, None))
    train, validation, test = (Split(x[part], y[part]) for part in parts)
    return Dataset(
        name="diabetes",
        task="regression",
        train=train,
        validation=validation,
        test=test,
        description="A case is a patient with ten measurements; the answer is how far the disease progressed within a "
        "year, as a score.",
        feature_names=tuple(f"{name} ({'standardized' if standardize else unit})" for name, unit in MEASUREMENTS),
        label_names=(),
        target_units=units,
        synthetic=False,
        licence="published by its authors without terms; as shipped with scikit-learn (BSD-3-Clause)",
        citation="Efron, B., T. Hastie, I. Johnstone and R. Tibshirani, 2004: Least angle regression. Ann. Statist., "
        "32, 407-499, doi 10.1214/009053604000000067.",
    )
