"""Keys and generators, under the name that engines import them by."""

from gengap.randomness import Part, generator, key

__all__ = ["Part", "generator", "key"]
