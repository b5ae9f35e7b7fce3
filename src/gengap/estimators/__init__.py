"""Studies as estimators of scikit-learn: what `fit` chooses by a study of its own, `predict` forecasts with."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
