"""Dense, EinsumDense, Embedding and PReLU of K runs."""

from typing import Any

import torch

from gengap.layers.activations import Activation
from gengap.layers.base import Fused, Traits
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor


class FusedDense(Fused):
    """`activation(x @ kernel + bias)` of each run."""

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._activation = Activation(node.operation)

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return `(K, B, ..., units)`."""
        kernel, bias = self.weight("kernel"), self.bias()
        return self._activation(stacked_matmul(x, kernel, bias), owned=True)

    @classmethod
    def traits(cls, layer: Any) -> Traits:
        """Return that it makes values of its own."""
        return Traits(makes_new_values=layer.dtype_policy.name == "float32")

    def rows(self, x: torch.Tensor, *, owned: bool = False) -> torch.Tensor:
        """Return `(rows, ..., units)`; `x` is never written to."""
        del owned
        kernel, bias = self.weight("kernel")[0], self.bias()
        product = torch.matmul(x, kernel)
        return self._activation.on_rows(product if bias is None else product.add_(bias[0]))


class SparseInputDense(Door):
    """A Dense layer whose product with sparse rows is there already."""

    name = "fuse"

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._activation = Activation(node.operation)

    def __call__(self, context: PassContext, *args: Any, **_: Any) -> Any:  # noqa: ARG002  the same in training
        """Add the bias and activate."""
        bias = self.node.operation.bias
        product = args[0].product
        return StackedTensor(self._activation(product if bias is None else product + self.node.weight(bias)[:, None]))


def stacked_matmul(x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return `x @ kernel + bias` of each run.

    Args:
        x: `(K, B, ..., features)`; a view that repeats one batch for all runs is multiplied once with all kernels.
        kernel: `(K, features, units)`.
        bias: `(K, units)` or None.
    """
    num_runs, units = kernel.shape[0], kernel.shape[-1]
    if x.stride(0) == 0 and num_runs > 1:
        side_by_side = kernel.permute(1, 0, 2).reshape(kernel.shape[1], num_runs * units)
        rows = x[0].reshape(-1, x.shape[-1])
        flat = (rows @ side_by_side).view(-1, num_runs, units).transpose(0, 1)
        flat = flat if bias is None else flat + bias[:, None]
    else:
        rows = x.flatten(1, -2)
        flat = torch.bmm(rows, kernel) if bias is None else torch.baddbmm(bias[:, None], rows, kernel)
    return flat.reshape(num_runs, *x.shape[1:-1], units)


class FusedEinsumDense(Fused):
    """Keras' EinsumDense with one more index, the run, in every term of its equation."""

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._activation = Activation(node.operation)
        inputs, rest = node.operation.equation.replace(" ", "").split(",")
        kernel, output = rest.split("->")
        run = next(letter for letter in "zyxwvutsrqponmlkjihgfedcba" if letter not in inputs + rest)
        self._equation = f"{run}{inputs},{run}{kernel}->{run}{output}"

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return the equation's output with the run in front."""
        kernel, bias = self.weight("kernel"), self.bias()
        z = torch.einsum(self._equation, x, kernel)
        if bias is not None:
            z = z + bias.reshape(bias.shape[0], *[1] * (z.ndim - bias.ndim), *bias.shape[1:])
        return self._activation(z, owned=True)


class FusedEmbedding(Fused):
    """Rows of each run's own table."""

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return `(K, B, ..., output_dim)` for indices `(K, B, ...)`."""
        table = self.node.weight(self.node.operation.embeddings)
        num_runs, words = table.shape[:2]
        indices = x.long()
        indices = torch.where(indices < 0, indices + words, indices)  # as Keras' take, which counts from the end too
        offset = words * torch.arange(num_runs, device=x.device).reshape(-1, *[1] * (x.ndim - 1))
        return self.cast(torch.nn.functional.embedding(indices + offset, table.flatten(0, 1)))


class FusedPReLU(Fused):
    """Each run's own slope of what is negative."""

    def compute(self, x: torch.Tensor, context: PassContext) -> torch.Tensor:  # noqa: ARG002  the same in training
        """Return `relu(x) - alpha * relu(-x)`."""
        return torch.relu(x) - self.weight("alpha").unsqueeze(1) * torch.relu(-x)


FUSED_DENSE: dict[str, type[Fused]] = {
    "Dense": FusedDense,
    "EinsumDense": FusedEinsumDense,
    "Embedding": FusedEmbedding,
    "PReLU": FusedPReLU,
}
