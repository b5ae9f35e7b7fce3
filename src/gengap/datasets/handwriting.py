"""Handwritten digits: which of ten is it?"""

import numpy as np

from gengap.datasets.split import Dataset, Split

TRAIN_END, VALIDATION_END = 1077, 1437  # 60 %, 80 % of 1,797


def digits() -> Dataset:
    """Handwritten digits of 8 x 8 pixels, ten labels; real, 1,077 / 360 / 360 cases, from scikit-learn.

    The cases are cut in the order of the archive and not shuffled: there one writer's digits follow each other, as far
    as is known, and a shuffled split would test on hands that the model has learned from. Every label makes up .09 to
    .11 of each split.

    Returns:
        A multiclass data set. `x` has shape `(n, 8, 8, 1)`, float32, ink from 0 to 1; `y` int32 codes, shape `(n,)`.

    Example:
        >>> data = digits()
        >>> data.train.x.shape, data.validation.y[:5]
        ((1077, 8, 8, 1), array([0, 0, 7, 8, 2], dtype=int32))
    """
    from sklearn.datasets import load_digits

    archive = load_digits()
    x = (archive.images[..., np.newaxis] / 16).astype(np.float32)
    y = archive.target.astype(np.int32)
    parts = (slice(TRAIN_END), slice(TRAIN_END, VALIDATION_END), slice(VALIDATION_END, None))
    train, validation, test = (Split(x[part], y[part]) for part in parts)
    return Dataset(
        name="digits",
        task="multiclass",
        train=train,
        validation=validation,
        test=test,
        description="A case is a handwritten digit, counted down to 8 x 8 pixels; the answer is the digit.",
        feature_names=("ink (0 to 1)",),
        label_names=tuple("0123456789"),
        target_units="",
        synthetic=False,
        licence="CC BY 4.0",
        citation="Alpaydin, E. and C. Kaynak, 1998: Optical Recognition of Handwritten Digits. UCI Machine Learning "
        "Repository, doi 10.24432/C50P49.",
    )
