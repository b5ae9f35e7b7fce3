"""Measurements of the package. A package itself, since others leave one of this name beside their own (pyarrow 17)."""
