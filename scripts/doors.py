"""Write docs/doors.md: by which door the fused engine computes every layer of Keras, as it chose when this ran."""

import runpy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from gengap.errors import SlowPathWarning
from gengap.layers.doors import PassContext
from gengap.layers.program import Program
from gengap.layers.stack import Stack

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "doors.md"

HEAD = """\
# Layers and doors

By which door the fused engine computes each layer of Keras {version}, as it is configured in
`tests/engine/test_every_layer_predicts_as_keras.py`, which holds every one of them to Keras' own numbers. Written by
`python scripts/doors.py`. What the doors are: [Architecture](architecture.md). Noise is at rate 0 there; `AlphaDropout`
that drops is looped. A layer with an activity penalty, LoRA or quantization, a user's subclass, and what a kernel
cannot do as it is configured take a slower door, never a wrong one. What is looped costs a run as much as in Keras' own
loop: company saves it nothing, and all other layers of the model as much as ever.

| layer | door | where its input is masked |
|---|---|---|
"""


def rows() -> Iterator[str]:
    """Yield a row for each layer of the test's tables."""
    law = runpy.run_path(str(ROOT / "tests" / "engine" / "test_every_layer_predicts_as_keras.py"))
    for name, build in law["SEQUENCES"].items():
        if hasattr(keras.layers, name):
            yield _row(name, *(door_of(name, *sequence(law, build, front)) for front in ("plain", "embedding")))
    for table, shape in ((law["IMAGES"], (6, 6, 3)), (law["VOLUMES"], (4, 4, 4, 2))):
        for name, build in table.items():
            model = keras.Sequential([keras.Input(shape), build(), keras.layers.Flatten(), keras.layers.Dense(1)])
            yield _row(name, door_of(name, model, np.ones((5, *shape), "float32")), "")


def sequence(law: dict[str, Any], build: Any, front: str) -> tuple[keras.Model, Any]:
    """Return a model with a layer of sequences behind one of the test's inputs, and its data."""
    start, h, x = law["begin"](front)
    return keras.Model(start, law["end"](build(h))), x


def door_of(name: str, model: keras.Model, x: Any) -> str:
    """Return the doors that the steps of a layer take in two runs together."""
    weights = [np.array(value) for value in model.get_weights()]
    program = Program([model, model], [0, 1], Stack(model, [weights, weights]))
    tensor = torch.from_numpy(x)
    with torch.no_grad():
        program([tensor.expand(2, *tensor.shape)], PassContext(training=True))
    steps = {step.index: type(step.operation).__name__ for step in program.graph.steps}
    classes = {name, "Grouped" + name[5:]} if name == "GroupQueryAttention" else {name}
    found = [door for index, door in program.doors.items() if steps[index] in classes]
    return ", ".join(sorted(set(found)))


def _row(name: str, plain: str, masked: str) -> str:
    return "" if not plain else f"| `{name}` | {plain} | {'' if masked == plain else masked} |\n"


def page() -> str:
    """Return the page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowPathWarning)
        warnings.filterwarnings("ignore", message=".*was passed an input with a mask")
        table = "".join(sorted(rows(), key=str.lower))
    return HEAD.format(version=".".join(keras.__version__.split(".")[:2])) + table


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
