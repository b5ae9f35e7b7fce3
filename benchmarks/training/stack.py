"""The net of the workload `dense` as a stack of batched products written by hand: the floor for many runs at once."""

import itertools
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional


def train(
    x: torch.Tensor, y: torch.Tensor, x_held: torch.Tensor, y_held: torch.Tensor, *, runs: int, epochs: int, batch: int
) -> dict[str, Any]:
    """Train two hidden layers of 64 with dropout .3 under Adam, every run with batches and masks of its own.

    Returns:
        Seconds of all, seconds of each epoch but the first, and the final validation loss and accuracy of every run.
    """
    began = time.perf_counter()
    torch.manual_seed(0)
    weights = _weights(runs, (x.shape[1], 64, 64, 1))
    optimizer = torch.optim.Adam(weights, lr=1e-3, eps=1e-7, fused=True)
    ends, first = [], torch.arange(runs).unsqueeze(1)
    for _ in range(epochs):
        orders = torch.rand(runs, len(x)).argsort(dim=1)
        total, right = torch.zeros(runs), torch.zeros(runs)
        for rows in orders.split(batch, dim=1):
            logits = _forward(weights, x[rows], drop=True)
            labels = y.expand(runs, -1)[first, rows]
            losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            with torch.no_grad():
                total += losses * rows.shape[1]
                right += ((logits > 0) == (labels > 0.5)).sum(dim=1)
        with torch.no_grad():
            held = _forward(weights, x_held.expand(runs, *x_held.shape), drop=False)
            wanted = y_held.expand(runs, -1)
            val_loss = functional.binary_cross_entropy_with_logits(held, wanted, reduction="none").mean(dim=1)
            val_accuracy = ((held > 0) == (wanted > 0.5)).float().mean(dim=1)
        ends.append(time.perf_counter())
    finals = [
        {"net": "dense", "seed": seed, "final": {"val_loss": float(loss), "val_accuracy": float(accuracy)}}
        for seed, (loss, accuracy) in enumerate(zip(val_loss, val_accuracy, strict=True))
    ]
    each = [[b - a for a, b in itertools.pairwise(ends)]]
    return {"seconds": time.perf_counter() - began, "epochs": each, "finals": finals}


def _weights(runs: int, sizes: Sequence[int]) -> list[torch.Tensor]:
    weights = []
    for before, after in itertools.pairwise(sizes):
        limit = (6 / (before + after)) ** 0.5  # Glorot's, as Keras draws them
        weights.append(torch.empty(runs, before, after).uniform_(-limit, limit).requires_grad_())
        weights.append(torch.zeros(runs, 1, after, requires_grad=True))
    return weights


def _forward(weights: Sequence[torch.Tensor], x: torch.Tensor, *, drop: bool) -> torch.Tensor:
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = functional.dropout(torch.relu(torch.baddbmm(bias, x, kernel)), 0.3, training=drop)
    return torch.baddbmm(weights[-1], x, weights[-2])[..., 0]
