"""The page of the documentation that tells the results; made from the results alone."""

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu.page import section

NAMES = {
    "keras-tensorflow": "Keras, TensorFlow",
    "keras-jax": "Keras, JAX",
    "keras-torch": "Keras, torch",
    "torch": "torch by hand",
    "stack": "a stack of batched products by hand",
    "gengap": "gengap",
    "gengap-scored": "gengap, with the training score",
    "gengap-compiled": "gengap, compile=True",
}


def page(results: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    machine = results["machine"]
    lines = [
        "# How long training takes",
        "",
        "Made by `make bench-training`; every number on this page comes from `benchmarks/results/training.json`.",
        "",
        f"Machine: {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}.",
        "",
        "Seconds are wall time of one run of all its epochs: building, compiling, batches, training, validation and",
        "metrics after every epoch; gengap's include planning. All give the same outputs; a study wants one more, the",
        "training score in inference mode after every epoch, and `gengap, with the training score` gives that too.",
        "Each contestant is a process of its own. Rivals run the stated sample of seeds and epochs; epochs after the",
        "first cost alike, so the rest follows from the median. The same holds for gengap where it was measured on",
        "fewer epochs.",
    ]
    for name, one in results["workloads"].items():
        lines += ["", *_workload(name, one)]
        if name.endswith("-bf16"):
            lines += _beside_float32(one, results["workloads"].get(name.removesuffix("-bf16")))
    for name, one in results.get("growth", {}).items():
        lines += ["", *_growth(name, one)]
    if "parts" in results:
        lines += ["", *_parts(results["parts"])]
    lines += ["", *section(results.get("gpu")), ""]
    return "\n".join(lines)


def ratio(one: Mapping[str, Any]) -> float | None:
    """Return how many times faster gengap is than the fastest Keras backend; None where one of them is missing."""
    contestants = one["contestants"]
    keras = [c["seconds_per_run"] for who, c in contestants.items() if who.startswith("keras") and "error" not in c]
    own = contestants.get("gengap", {}).get("seconds_per_run")
    return min(keras) / own if keras and own else None


def _workload(name: str, one: Mapping[str, Any]) -> list[str]:
    spec, own = one["workload"], one["contestants"].get("gengap", {})
    lines = [
        f"## {spec['title'][0].upper()}{spec['title'][1:]} (`{name}`)",
        "",
        (
            f"{one['data']}. {len(spec['nets'])} net(s), {spec['epochs']} epochs, batch {spec['batch_size']}. gengap:"
            f" {spec['seeds']} seeds of each, {spec['own_epochs']} epochs measured; rivals: {spec['rival_runs']} run(s)"
            f" of each, {spec['rival_epochs']} epochs measured. Measured {one['when']}."
        ),
        "",
        "| | seconds per run (lowest-highest) | gengap is faster by | peak MiB (libraries) | val. loss, accuracy |",
        "|---|---|---|---|---|",
    ]
    for who, c in one["contestants"].items():
        if "error" in c:
            lines.append(f"| {NAMES[who]} | {c['error']} | | | |")
            continue
        factor = (
            c["seconds_per_run"] / own["seconds_per_run"]
            if "seconds_per_run" in own and not who.startswith("gengap")
            else None
        )
        finals = [final["final"] for final in c["finals"] if final["net"] == spec["nets"][0]]
        means = [sum(final[key] for final in finals) / len(finals) for key in ("val_loss", "val_accuracy")]
        lines.append(
            f"| {NAMES[who]} | {c['seconds_per_run']:.3g} ({c['lowest']:.3g}-{c['highest']:.3g}, n = {c['rounds']}) | "
            f"{'' if factor is None else f'{factor:.2g}'} | {_memory(c)} | "
            f"{means[0]:.4f}, {means[1]:.4f} |"
        )
    factor = ratio(one)
    if factor is not None:
        lines += ["", f"Against the fastest Keras backend: **{factor:.3g} times**; wanted: {spec['issue']:g}."]
    if spec["data"] == "reviews":
        lines += _leanest(one)
    if name == "imdb-study":
        lines += _whole_study(one)
    missing = [NAMES[who] for who in NAMES if who.startswith("keras") and who not in one["contestants"]]
    if missing:
        lines += ["", f"Not raced this time: {'; '.join(missing)}."]
    disturbed = sorted({word for c in one["contestants"].values() for word in c.get("disturbed", [])})
    if disturbed:
        lines += ["", f"The machine was not quiet: {'; '.join(disturbed)}."]
    if own.get("plan"):
        lines += ["", "```text", *own["plan"], "```"]
    return lines


def _memory(c: Mapping[str, Any]) -> str:
    """Return peak memory, and what of it the imports take before any data."""
    libraries = f" ({c['libraries_mib']:,.0f})" if "libraries_mib" in c else ""
    return f"{c['peak_memory_mib']:,.0f}{libraries}"


def _whole_study(one: Mapping[str, Any]) -> list[str]:
    """Say what all runs of a study take beside single runs of its nets by the fastest Keras backend."""
    good = {who: c for who, c in one["contestants"].items() if "error" not in c}
    rivals = [c["seconds_per_run"] for who, c in good.items() if who.startswith("keras")]
    nets, seeds = len(one["workload"]["nets"]), one["workload"]["seeds"]
    if not rivals or not {"gengap", "gengap-scored"} <= set(good):
        return []
    plain, scored = (good[who]["seconds_per_run"] * nets * seeds for who in ("gengap", "gengap-scored"))
    sentence = (
        f"The whole study, {nets} nets x {seeds} seeds, takes {plain:.0f} s, with the training score {scored:.0f} s; "
        f"single runs of the {nets} nets by the fastest Keras backend, without it, {min(rivals) * nets:.0f} s."
    )
    return ["", sentence]


def _leanest(one: Mapping[str, Any]) -> list[str]:
    """Say how gengap's memory stands to that of the leanest dense loop, as a whole and beyond the libraries."""
    known = {who: c for who, c in one["contestants"].items() if "libraries_mib" in c}
    rivals = [c for who, c in known.items() if not who.startswith("gengap")]
    if "gengap" not in known or not rivals:
        return []
    own, leanest = known["gengap"], min(rivals, key=lambda c: c["peak_memory_mib"])
    beyond = [c["peak_memory_mib"] - c["libraries_mib"] for c in (leanest, own)]
    whole = leanest["peak_memory_mib"] / own["peak_memory_mib"]
    sentence = (
        f"The leanest loop on dense rows takes {whole:.1f} times gengap's memory, and beyond what the libraries take "
        f"before there are data, {beyond[0] / beyond[1]:.1f} times."
    )
    return ["", sentence]


def _beside_float32(one: Mapping[str, Any], other: Mapping[str, Any] | None) -> list[str]:
    """Say what bfloat16 gains on the fastest Keras backend in float32, which was raced at another moment."""
    if other is None or "seconds_per_run" not in one["contestants"].get("gengap", {}):
        return []
    factor = ratio({"contestants": {**other["contestants"], "gengap": one["contestants"]["gengap"]}})
    if factor is None:
        return []
    return ["", f"Against the fastest Keras backend in float32, raced {other['when']}: **{factor:.3g} times**."]


def _parts(nets: Mapping[str, Mapping[str, float]]) -> list[str]:
    names = list(next(iter(nets.values())))
    return [
        "## Where a step's time goes (reviews)",
        "",
        "Milliseconds a run, medians of one epoch; the last line is once an epoch.",
        "",
        f"| | {' | '.join(nets)} |",
        f"|---|{'---|' * len(nets)}",
        *(f"| {name} | {' | '.join(f'{net[name]:.3g}' for net in nets.values())} |" for name in names),
    ]


def _growth(name: str, one: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## Growth (`{name}`)",
        "",
        "| runs together | seconds per epoch | per run, ms | MiB |",
        "|---|---|---|---|",
    ]
    for size, c in one["runs"].items():
        if "error" not in c:
            per_run = 1e3 * c["epoch"] / int(size)
            lines.append(f"| {size} | {c['epoch']:.3g} | {per_run:.3g} | {c['peak_memory_mib']:,.0f} |")
    if one["rows"]:
        lines += ["", "| rows, ten runs | seconds per epoch | microseconds per row and run |", "|---|---|---|"]
    for rows, c in one["rows"].items():
        if "error" not in c:
            lines.append(f"| {int(rows):,} | {c['epoch']:.3g} | {1e6 * c['epoch'] / int(rows) / 10:.3g} |")
    return [*lines, "", *_laws(one)]


def _laws(one: Mapping[str, Any]) -> list[str]:
    """Say what grows how, and where that breaks, in numbers of the table."""
    good = {int(size): c for size, c in one["runs"].items() if "error" not in c}
    most = max(good)
    each = (good[most]["peak_memory_mib"] - good[1]["peak_memory_mib"]) / (most - 1)
    costs = {size: 1e3 * c["epoch"] / size for size, c in good.items()}
    best = min(costs, key=lambda size: costs[size])
    lines = [
        f"Memory grows by {each:.1f} MiB a run. A run costs {costs[1] / costs[best]:.1f} times less in company of",
        f"{best}: what a step costs whatever the number of runs (Python, starting operations) is shared, until what",
        "each run has for itself is all that is left: its products with rows, its weights' update, its validation.",
    ]
    if best < most:
        lines.append(
            "Beyond, nothing is gained, since the planner cuts so many runs into chunks, or the cache is full."
        )
    if one["rows"]:
        lines += [
            "With fewer rows a row costs more: every epoch ends with the same held-out rows, however few trained it,",
            "and a step of a small last batch costs as much as a full one.",
        ]
    return lines
