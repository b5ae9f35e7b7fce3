"""Verification of forecasts: scores and curves in scikit-learn's manners, exact, with intervals.

Truth first: `(y_true, y_prob)`, `(y_true, y_pred)`. NumPy and SciPy at heart; scikit-learn where it is asked for.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
