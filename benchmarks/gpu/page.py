"""The section on GPUs of the performance page; made from the results alone."""

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu.__main__ import table


def section(results: Mapping[str, Any] | None) -> list[str]:
    """Return the section as lines of Markdown.

    Args:
        results: What `make bench-gpu` wrote; None where it never ran on a card.
    """
    lines = ["## On a GPU", ""]
    if results is None or not results["card"]:
        return [
            *lines,
            "**Not measured yet**: no machine that ran these benchmarks had a CUDA device. The script is there and is",
            "tested without one: `make bench-gpu` takes six minutes on a machine with a card, runs the tests that need",
            "one, races 30 storm CNNs, 30 LSTM, 30 transformer and 100 tabular nets together against Keras' own loop",
            "one after another on the same card, and writes this section. What is known without a card: every step",
            "of the fused engine runs on a pretended device without leaving a tensor behind on the CPU and without",
            "waiting for it (`tests/engine/test_cuda_without_a_card.py`). No number is claimed.",
        ]
    versions = f"torch {results['torch']}, CUDA {results['cuda']}"
    lines += [
        f"Made by `make bench-gpu` on {results['card']}, {versions}, {results['when']}.",
        "Milliseconds are one epoch of one run, the first epoch left out.",
        "",
        *table(dict(results)),
        "",
        "Keras' convolutions have the 10 bits of TF32 there, as torch allows by default; gengap's are float32.",
        "",
        f"The tests that need a card: {results['tests'].get('summary', results['tests'].get('skipped'))}.",
        "",
        "Kernels of one step may run side by side, so that their sum can be more than the step takes.",
        "",
        "| workload | a step, ms | sum of its kernels, ms | launches | waits | peak MiB | Keras' peak MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in results["races"].items():
        mine, rival = own.get("gengap", {}), own.get("keras-torch", {})
        if "profile" not in mine:
            continue
        seen = mine["profile"]
        lines.append(
            f"| {name} | {seen['step_ms']:.2f} | {seen['device_ms']:.2f} | {seen['launches']} | {seen['waits']} "
            f"| {mine['peak_mib']:.0f} | {rival.get('peak_mib', float('nan')):.0f} |"
        )
    return lines
