"""What generators require of the numbers that they are given."""

from operator import index


def require_cases(name: str, value: int) -> None:
    """Refuse anything but a whole number of at least 1.

    Raises:
        TypeError: `value` is not a whole number.
        ValueError: It is below 1.
    """
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"`{name}` must be a whole number, got {value!r}")
    if index(value) < 1:
        raise ValueError(f"`{name}` must be at least 1, got {value}")


def require_seed(value: int) -> None:
    """Refuse anything but a whole number of at least 0, as `require_cases` does."""
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"`seed` must be a whole number, got {value!r}")
    if index(value) < 0:
        raise ValueError(f"`seed` must be at least 0, got {value}")
