"""The seed generators inside a model, and how to make Keras on torch obey their state."""

from collections.abc import Iterator
from typing import Any

import keras

from gengap.keras_models.initial_weights import identified_layers
from gengap.keras_models.private import obey_state


def seed_generators(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """Yield every seed generator of a model with its name in keys, for example `"Dropout/0/0"`."""
    for identity, layer in identified_layers(model):
        own = [value for value in vars(layer).values() if isinstance(value, keras.random.SeedGenerator)]
        yield from ((f"{identity}/{ordinal}", one) for ordinal, one in enumerate(own))


def obey_their_state(model: keras.Model) -> None:
    """Make a model's noise a function of its generators' states.

    Keras 3.15 on torch draws dropout from torch's global generator where the user gave no seed, whatever the state of
    the layer's own generator says.
    """
    for _, generator in seed_generators(model):
        obey_state(generator)
