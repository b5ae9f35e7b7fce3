"""What is raced, on which data, and how much of it the rivals have to run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

DataName = Literal["reviews", "storms", "soundings", "words", "pictures", "table"]


@dataclass(frozen=True)
class Workload:
    """One race.

    Attributes:
        name: Short name.
        title: What it is, for the table.
        data: Which data.
        nets: Nets by name with the number of times that each counts.
        seeds: Seeds of each net that gengap trains.
        epochs: Epochs of a run. A rival that was given fewer is extrapolated from its epochs after the first.
        own_epochs: Epochs that gengap is measured on.
        rival_epochs: Epochs that a rival is measured on.
        rival_runs: Runs of each net that a rival is measured on; the rest of the seeds cost the same again.
        rival_nets: Nets of which a rival is measured on others' behalf, by net; all by themselves if empty.
        batch_size: Cases a step.
        precision: Number format of activations; `mixed_bfloat16` for the rivals' bfloat16.
        issue: What the issue asks for, as a ratio to the fastest Keras backend.
    """

    name: str
    title: str
    data: DataName
    nets: tuple[str, ...]
    seeds: int
    epochs: int
    own_epochs: int
    rival_epochs: int
    rival_runs: int = 1
    rival_nets: Mapping[str, str] | None = None
    batch_size: int = 512
    precision: Literal["float32", "bfloat16"] = "float32"
    issue: float = 1.0


_SEVEN = ("original", "smaller", "bigger", "l2", "l1", "l1l2", "dropout")
_SIX = ("sounding", "sounding-l2", "sounding-dropout", "sounding-spatial", "sounding-both", "sounding-narrow")

WORKLOADS = {
    one.name: one
    for one in (
        Workload("imdb-16", "reviews, 16-16-1", "reviews", ("original",), 10, 20, 20, 3, rival_runs=2, issue=20),
        Workload(
            "imdb-16-five", "reviews, the five nets of 16 units", "reviews",
            ("original", "l2", "l1", "l1l2", "dropout"), 10, 20, 5, 3, issue=20, rival_nets={"l1": "l2", "l1l2": "l2"},
        ),
        Workload("imdb-512", "reviews, 512-512-1", "reviews", ("bigger",), 4, 20, 3, 2, issue=5),
        Workload(
            "imdb-study", "reviews, study of seven nets", "reviews", _SEVEN, 10, 20, 3, 2, issue=6,
            rival_nets={"l1": "l2", "l1l2": "l2"},
        ),
        Workload("storms-l2", "storms, T2.1", "storms", ("storm-l2",), 2, 10, 3, 3),
        Workload("storms-dropout", "storms, T2.2", "storms", ("storm-dropout",), 2, 10, 3, 3),
        Workload(
            "storms-l2-bf16", "storms, T2.1, bfloat16", "storms", ("storm-l2",), 2, 10, 3, 3, precision="bfloat16",
        ),
        Workload(
            "storms-dropout-bf16", "storms, T2.2, bfloat16", "storms", ("storm-dropout",), 2, 10, 3, 3,
            precision="bfloat16",
        ),
        Workload(
            "soundings", "soundings demo, six variants", "soundings", _SIX, 10, 30, 30, 30, batch_size=32, issue=8,
            rival_nets=dict.fromkeys(("sounding-l2", "sounding-dropout", "sounding-narrow"), "sounding")
            | {"sounding-both": "sounding-spatial"},
        ),
        Workload("lstm", "word sequences, LSTM(32)", "words", ("lstm",), 10, 3, 3, 3, batch_size=64, issue=4),
        Workload("bigru", "word sequences, GRU(16) twice", "words", ("bigru",), 10, 3, 3, 3, batch_size=64, issue=5),
        Workload(
            "attention", "word sequences, attention of two heads", "words", ("attention",), 10, 3, 3, 3, batch_size=64,
            issue=1.4,
        ),
        Workload(
            "transformer", "word sequences, a transformer block of one's own", "words", ("transformer",), 10, 3, 3, 3,
            batch_size=64, issue=1.3,
        ),
        Workload(
            "resnet", "pictures, a small residual net", "pictures", ("resnet",), 10, 3, 3, 3, batch_size=128, issue=1.3,
        ),
        Workload("tabular", "a table, batch normalization", "table", ("tabular",), 10, 3, 3, 3, batch_size=32, issue=8),
        Workload("entity", "a table, four embeddings", "table", ("entity",), 10, 3, 3, 3, batch_size=32, issue=12),
        Workload("dense", "a table, 100 seeds together", "table", ("dense",), 100, 3, 3, 3, batch_size=32, issue=15),
    )
}  # fmt: skip


def quick(workload: Workload) -> Workload:
    """Return the workload cut to what a minute or two allows."""
    return replace(
        workload,
        seeds=min(workload.seeds, 4),
        own_epochs=min(workload.own_epochs, 3),
        rival_epochs=min(workload.rival_epochs, 2),
        rival_runs=1,
    )


def prepare(name: DataName, folder: Path, *, rows: int | None = None) -> tuple[Path, str]:
    """Write the arrays that all contestants read, and return their file and what they are."""
    from benchmarks.training import synthetic

    import gengap_examples
    from gengap import datasets

    file = folder / f"{name}.npz"
    if name == "reviews":
        path = os.environ.get("GENGAP_IMDB")
        if path:
            chosen = datasets.imdb(path, split="tutorial")
            what = f"the {len(chosen.train):,} + {len(chosen.validation):,} IMDB reviews, 10,000 words"
        else:
            chosen = gengap_examples.reviews(n_train=25_000, n_validation=25_000, n_test=1, num_words=10_000)
            what = "25,000 + 25,000 synthetic reviews, 10,000 words (GENGAP_IMDB is not set)"
    elif name == "storms":
        rows = rows or 12_800
        chosen = gengap_examples.synthetic_storms(n_train=rows, n_validation=2_560, n_test=1)
        what = f"{rows:,} + 2,560 synthetic storms, 32 x 32 x 3 (the course has 76,377)"
    elif name in {"words", "pictures", "table"}:
        file_of = {"words": synthetic.words, "pictures": synthetic.pictures, "table": synthetic.table}[name]
        arrays, what = file_of()
        np.savez(file, **arrays)
        return file, what
    else:
        chosen = datasets.soundings()
        what = f"{len(chosen.train)} + {len(chosen.validation)} observed soundings, 32 x 5"
    arrays: dict[str, Any] = {"y": np.float32(chosen.train.y), "y_held": np.float32(chosen.validation.y)}
    for key, x in (("x", chosen.train.x), ("x_held", chosen.validation.x)):
        if name == "reviews":
            arrays |= {f"{key}_data": x.data, f"{key}_indices": x.indices, f"{key}_indptr": x.indptr}
            arrays |= {f"{key}_shape": np.array(x.shape)}
        else:
            arrays[key] = np.asarray(x, dtype=np.float32)
    np.savez(file, **arrays)
    return file, what


def load(file: Path, *, dense: bool) -> tuple[Any, Any, Any, Any]:
    """Return x, y and the held-out x, y of a file that `prepare` wrote; reviews as CSR, or dense float32."""
    with np.load(file) as arrays:
        parts = []
        for key in ("x", "x_held"):
            if f"{key}_data" in arrays:
                from scipy import sparse

                csr = tuple(arrays[f"{key}_{part}"] for part in ("data", "indices", "indptr"))
                rows = sparse.csr_matrix(csr, shape=tuple(arrays[f"{key}_shape"]), dtype=np.float32)
                parts.append(rows.toarray() if dense else rows)
            else:
                parts.append(arrays[key])
        return parts[0], arrays["y"], parts[1], arrays["y_held"]
