"""Stacked computations of K runs at once, in plain torch: each is one idea, tested against an independent oracle."""
