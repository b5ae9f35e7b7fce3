"""Predictive distributions and how good their spread is; no Keras, no torch."""
