"""Running means of an epoch under way: losses, penalties and the training outputs that metrics want."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from keras import tree
from numpy.typing import NDArray

from gengap.engine.runs import Array


class RunningMeans:
    """Sums over the steps of one epoch, per run.

    Args:
        keep_outputs: Whether outputs are kept, for metrics at the end of the epoch.
    """

    def __init__(self, *, keep_outputs: bool) -> None:
        self._keep_outputs = keep_outputs
        self._cases = 0
        self._sums: dict[str, torch.Tensor] = {}
        self._outputs: list[list[torch.Tensor]] = []
        self._structure: Any = None

    def add(
        self,
        cases: int,
        objective: torch.Tensor,
        parts: Mapping[str, torch.Tensor],
        outputs: Any,
        added: torch.Tensor | None = None,
    ) -> None:
        """Take in one step.

        Args:
            cases: Cases of the batch.
            objective: Objective of each run, `(K,)`.
            parts: The losses that it consists of, by name.
            outputs: Outputs of all runs in the model's structure.
            added: What layers added to the objective of each run, `(K,)`; it goes into `penalty`.
        """
        self._cases += cases
        losses = {"loss": objective}
        if len(parts) > 1:
            losses |= {f"{name}_loss": value for name, value in parts.items()}
        if added is not None:
            losses["penalty"] = added
        for name, value in losses.items():
            weighted = value.detach().double() * cases
            self._sums[name] = self._sums[name] + weighted if name in self._sums else weighted
        if self._keep_outputs:
            self._structure = tree.map_structure(lambda _: None, outputs)
            self._outputs.append([output.detach() for output in tree.flatten(outputs)])

    def logs(self) -> dict[str, NDArray[np.float64]]:
        """Return the running means, `(K,)` each."""
        return {name: (value / self._cases).cpu().numpy() for name, value in self._sums.items()}

    def outputs(self) -> Any:
        """Return the outputs of the epoch so far, `(K, n, ...)` in the model's structure."""
        flat = [torch.cat(parts, dim=1) for parts in zip(*self._outputs, strict=True)]
        return tree.pack_sequence_as(self._structure, flat) if tree.is_nested(self._structure) else flat[0]

    def arrays(self) -> dict[str, Array]:
        """Return everything as arrays, for a checkpoint."""
        arrays = {f"sum/{name}": value.cpu().numpy().copy() for name, value in self._sums.items()}
        if self._outputs:
            flat = [torch.cat(parts, dim=1) for parts in zip(*self._outputs, strict=True)]
            arrays |= {f"output/{number}": value.cpu().numpy().copy() for number, value in enumerate(flat)}
        return {**arrays, "cases": np.array(self._cases)}

    def restore(self, arrays: Mapping[str, Array], device: str = "cpu") -> None:
        """Go on from what `arrays` returned; the structure of the outputs comes back with the next step."""
        self._cases = int(arrays["cases"])
        tensors = {path: torch.from_numpy(np.array(value)).to(device) for path, value in arrays.items()}
        self._sums = {path.removeprefix("sum/"): value for path, value in tensors.items() if path.startswith("sum/")}
        outputs = [value for path, value in sorted(tensors.items()) if path.startswith("output/")]
        self._outputs = [outputs] if outputs else []
