"""Attention of K runs: projections of all runs by one product each, then all their cases as one batch."""

import inspect
from typing import Any

import keras
import torch

from gengap.keras_models.attention_parts import AttentionParts
from gengap.keras_models.private import attention_mask, attention_parts, causal_mask
from gengap.kernels.compiled_attention import attend, attend_where_seen
from gengap.layers.attention_noise import WeightDropout
from gengap.layers.base import is_plain_in_all, torch_dtype
from gengap.layers.dense import stacked_matmul
from gengap.layers.doors import Door, PassContext, StackedNode, StackedTensor
from gengap.layers.noise import FusedDropout

_UNSEEN = -1e9  # the score of a step that is not seen, where there is dropout


class ProjectedAttention(Door):
    """MultiHeadAttention and GroupQueryAttention over one axis of steps."""

    name = "fuse"

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._parts = _parts(node.operation)
        self._dropout = FusedDropout(node.inside(lambda layer: _parts(layer).dropout))

    @classmethod
    def takes(cls, node: StackedNode, args: Any, kwargs: Any) -> bool:
        """Tell whether the kernel can do this call of the layer: of sequences, without gates, scores or flags."""
        parts = attention_parts(node.operation)
        if parts is None or not is_plain_in_all(node):
            return False
        given = _arguments(node.operation, args, kwargs)
        values = [given.get(name) for name in ("query", "value", "key")]
        sequences = [one for one in values if one is not None]
        known = {name for name, value in given.items() if value is not None and value is not False}
        masks = [*(one.mask for one in sequences), *(given.get(f"{one}_mask") for one in ("query", "value", "key"))]
        return (
            len(sequences) >= 2
            and all(isinstance(one, StackedTensor) and one.value.ndim == 4 for one in sequences)
            and known <= {"query", "value", "key", "query_mask", "value_mask", "key_mask", "use_causal_mask",
                          "attention_mask"}
            and isinstance(given.get("attention_mask"), StackedTensor | None)
            and (parts.heeds_masks or all(mask is None for mask in masks))
        )  # fmt: skip

    def __call__(self, context: PassContext, *args: Any, **kwargs: Any) -> Any:
        """Attend."""
        given = _arguments(self.node.operation, args, kwargs)
        query, value = given["query"], given["value"]
        key = value if given.get("key") is None else given["key"]
        q, k, v = (
            self._project(x, dense)
            for x, dense in ((query, self._parts.query), (key, self._parts.key), (value, self._parts.value))
        )
        repeats = q.shape[-2] // k.shape[-2]
        if repeats > 1:
            k, v = (one.repeat_interleave(repeats, dim=-2) for one in (k, v))
        seen, causal = self._seen(given)
        result = self._attend([one.flatten(0, 1) for one in (q, k, v)], seen, context, causal=causal)
        result = result.reshape(*q.shape[:3], -1)
        dense = self._parts.output
        kernel = self.node.weight(dense.kernel).to(result.dtype)
        outputs = stacked_matmul(result, kernel.flatten(1, 2), self._bias(dense))
        return StackedTensor(outputs, query.mask)

    def _project(self, x: StackedTensor, dense: Any) -> torch.Tensor:
        """Return `(K, B, T, heads, size)`."""
        value = x.value.to(torch_dtype(self.node.operation.compute_dtype))
        kernel = self.node.weight(dense.kernel).to(value.dtype)
        bias = self._bias(dense)
        flat = stacked_matmul(value, kernel.flatten(2), None if bias is None else bias.flatten(1))
        return flat.view(*flat.shape[:-1], *kernel.shape[2:])

    def _bias(self, dense: Any) -> torch.Tensor | None:
        if dense.bias is None:
            return None
        return self.node.weight(dense.bias).to(torch_dtype(self.node.operation.compute_dtype))

    def _seen(self, given: dict[str, Any]) -> tuple[torch.Tensor | None, bool]:
        """Return which steps see which, `(K * B or 1, T, S)` bool or None for all, and whether none sees later ones."""
        query, value, causal = given["query"], given["value"], bool(given.get("use_causal_mask"))
        heeded = {
            "query_mask": query.mask if self._parts.heeds_masks else None,
            "value_mask": _mask(given, "value"),
            "key_mask": _mask(given, "key"),
        }
        own = given.get("attention_mask")
        masks = {name: mask.flatten(0, 1).bool() for name, mask in heeded.items() if mask is not None}
        if own is not None:
            masks["attention_mask"] = own.value.flatten(0, 1).bool()
        if not masks and not self._parts.has_window:
            return None, causal
        both = (one.value.flatten(0, 1) for one in (query, value))
        seen: torch.Tensor = attention_mask(self.node.operation, *both, causal=causal, **masks)
        return seen, False

    def _attend(
        self, values: list[torch.Tensor], seen: torch.Tensor | None, context: PassContext, *, causal: bool
    ) -> torch.Tensor:
        """Return the weighted values, `(K * B, T, heads, value size)`."""
        q, k, v = values
        if seen is None and not self._dropout.speaks(context):
            return attend(q, k, v, scale=self._parts.scale, causal=causal)
        if seen is not None and seen.ndim == 3 and not self._dropout.strengths.any():
            return attend_where_seen(q, k, v, seen, scale=self._parts.scale)
        q, k, v = (one.transpose(1, 2) for one in (q * self._parts.scale, k, v))
        scores = q @ k.transpose(2, 3)
        if causal:
            seen = causal_mask(self.node.operation, *(one.transpose(1, 2) for one in (q, v)))
        if seen is None:
            weights = scores.softmax(dim=-1)
        else:
            seen = seen.unsqueeze(1) if seen.ndim == 3 else seen
            weights = torch.where(seen, torch.where(seen, scores, _UNSEEN).softmax(dim=-1), 0.0)
        weights = weights.view(len(self.node.operations), -1, *weights.shape[1:])
        return (self._dropout.compute(weights, context).flatten(0, 1) @ v).transpose(1, 2)


class FusedAttention(Door):
    """Attention without projections: scores are products of queries and keys, or sums of what `tanh` makes of both."""

    name = "fuse"

    def __init__(self, node: StackedNode) -> None:
        super().__init__(node)
        self._dropout = WeightDropout(node)

    @classmethod
    def takes(cls, node: StackedNode, args: Any, kwargs: Any) -> bool:
        """Tell whether the kernel can do this call: with one rate of dropout, and without giving the scores."""
        known = {name for name, value in kwargs.items() if value is not None and value is not False}
        masks = kwargs.get("mask")
        return (
            is_plain_in_all(node)
            and len({one.dropout for one in node.operations}) == 1
            and len(args) == 1
            and isinstance(args[0], list | tuple)
            and all(isinstance(one, StackedTensor) and one.value.ndim == 4 for one in args[0])
            and known <= {"use_causal_mask", "mask"}
            and (masks is None or all(isinstance(one, StackedTensor | None) for one in masks))
        )

    def __call__(
        self, context: PassContext, *args: Any, mask: Any = None, use_causal_mask: bool = False, **_: Any
    ) -> Any:
        """Attend; steps of the value that its mask hides are not seen, steps that the query's mask hides give 0."""
        layer = self.node.operation
        q, v, *rest = (one.value.to(torch_dtype(layer.compute_dtype)) for one in args[0])
        k = rest[0] if rest else v
        shown = [None, None] if mask is None else [None if one is None else one.value for one in mask]
        asking, hidden = (one.mask if own is None else own for one, own in zip(args[0][:2], shown[:2], strict=True))
        products = layer.score_mode == "dot" and not isinstance(layer, keras.layers.AdditiveAttention)
        if hidden is None and products and not self._dropout.speaks(context):
            one_head = [one.flatten(0, 1).unsqueeze(2) for one in (self._scaled(q), k, v)]
            result = attend(*one_head, scale=1.0, causal=bool(use_causal_mask)).squeeze(2).reshape(*q.shape[:3], -1)
        else:
            seen = None if hidden is None else hidden.bool().unsqueeze(-2)
            if use_causal_mask:
                earlier = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
                seen = earlier if seen is None else seen & earlier
            scores = self._scores(q, k)
            if seen is not None:  # lowered as Keras lowers them: where nothing is seen, all is seen alike
                scores = torch.where(seen, scores, scores - (65504.0 if scores.dtype == torch.float16 else 1e9))
            result = self._dropout.weigh(scores.softmax(dim=-1), v, context)
        if asking is not None:
            result = torch.where(asking.bool().unsqueeze(-1), result, 0)
        return StackedTensor(result, args[0][0].mask)

    def _scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """Return `(K, B, T, S)`."""
        layer = self.node.operation
        if isinstance(layer, keras.layers.AdditiveAttention):
            sums = torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3))
            return sums.sum(-1) if layer.scale is None else (sums * self._weight(layer.scale, 5)).sum(-1)
        if layer.score_mode == "dot":
            return self._scaled(q) @ k.transpose(-1, -2)
        weight = self._weight(layer.concat_score_weight, 4)
        return weight * torch.tanh(self._scaled(q.unsqueeze(-2) + k.unsqueeze(-3))).sum(-1)

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.node.operation.scale
        return x if scale is None else x * self._weight(scale, x.ndim)

    def _weight(self, variable: Any, ndim: int) -> torch.Tensor:
        """Return a number or a row of each run, shaped to go with values of so many dimensions."""
        value = self.node.weight(variable).to(torch_dtype(self.node.operation.compute_dtype))
        return value.reshape(len(value), *[1] * (ndim - 2), -1)


def _parts(layer: keras.Layer) -> AttentionParts:
    parts = attention_parts(layer)
    assert parts is not None  # noqa: S101  `takes` has asked
    return parts


def _arguments(layer: keras.Layer, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return a call's arguments by name."""
    names = [name for name in inspect.signature(type(layer).call).parameters if name != "self"]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _mask(given: dict[str, Any], name: str) -> torch.Tensor | None:
    """Return the mask that Keras would hand to the layer: what the graph shows, else what travels on the value."""
    if given.get(name) is None:
        return None
    shown = given.get(f"{name}_mask")
    mask: torch.Tensor | None = given[name].mask if shown is None else shown.value
    return mask


FUSED_ATTENTION: dict[str, type[ProjectedAttention] | type[FusedAttention]] = {
    "MultiHeadAttention": ProjectedAttention,
    "GroupedQueryAttention": ProjectedAttention,
    "Attention": FusedAttention,
    "AdditiveAttention": FusedAttention,
}
