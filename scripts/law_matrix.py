"""Print the matrix law x model x remedy as it runs now into docs/law_matrix.md: `python scripts/law_matrix.py`."""

import importlib.util
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]
Verdicts = dict[tuple[str, str], dict[str, str]]


def load_laws() -> Any:
    spec = importlib.util.spec_from_file_location("remedy_laws", ROOT / "tests" / "remedies" / "laws.py")
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def run(laws: Any) -> Verdicts:
    """Run every law on every pair; return (model, remedy) -> law -> "" or the reason of its exemption."""
    found = {}
    for name in laws.ZOO:
        for treatment in laws.TREATMENTS:
            try:
                found[name, treatment] = laws.verdicts(name, treatment)
            except AssertionError as error:
                found[name, treatment] = dict.fromkeys([law.__name__ for law in laws.LAWS], f"FAILS: {error}")
        print(name, flush=True)
    return found


def table(laws: Any, found: Verdicts) -> tuple[str, list[str]]:
    """Return the page: one row per remedy, one column per model, a mark per pair, and the reasons below."""
    names = [law.__name__ for law in laws.LAWS]
    reasons = {}
    lines = [
        "# The laws of remedies, as they ran",
        "",
        "Made by `python scripts/law_matrix.py` from the table that `tests/remedies/test_laws.py` tests.",
        "",
        "| law | what it says |",
        "|---|---|",
        *(f"| {law.__name__} | {law.__doc__} |" for law in laws.LAWS),
        "",
        f"Each cell counts the laws that hold, of {len(names)}; the letters are exemptions, with their reasons below.",
        "",
        "| remedy | " + " | ".join(laws.ZOO) + " |",
        "|---|" + "---|" * len(laws.ZOO),
    ]
    for treatment, (remedy, _) in laws.TREATMENTS.items():
        cells = []
        for name in laws.ZOO:
            held = [law for law in names if not found[name, treatment][law]]
            grouped = {}
            for law in names:
                if reason := found[name, treatment][law]:
                    grouped.setdefault(reason, []).append(law)
            marks = []
            for reason, excused in grouped.items():
                text = reason if len(excused) == len(names) else f"{', '.join(excused)}: {reason}"
                marks.append(reasons.setdefault(text, letter(len(reasons))))
            cells.append(" ".join([str(len(held)), *marks]))
        lines.append(f"| `{remedy}` | " + " | ".join(cells) + " |")
    lines += ["", "| | exemption and its reason |", "|---|---|"]
    lines += [f"| {mark} | {text} |" for text, mark in reasons.items()]
    failed = [f"{pair}" for pair, verdict in found.items() if any(v.startswith("FAILS") for v in verdict.values())]
    lines += ["", f"{len(found)} pairs of a model and a remedy, {len(failed)} of them failing.", ""]
    return "\n".join(lines), failed


def letter(number: int) -> str:
    return chr(ord("a") + number)


def main() -> bool:
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    laws = load_laws()
    page, failed = table(laws, run(laws))
    (ROOT / "docs" / "law_matrix.md").write_text(page)
    print(f"docs/law_matrix.md written in {time.perf_counter() - started:.0f} s; failing: {failed or 'none'}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
