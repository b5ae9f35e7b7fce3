"""What a predictive distribution costs and is worth: speed on the net of T2.2, coverage where the truth is known.

    python benchmarks/uncertainty.py [--only speed|truth] [--page]

Writes `benchmarks/results/uncertainty.json`, each part keeping what the other one wrote, and the tables of
`docs/uncertainty.md`; `--page` writes these alone.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

from uncertainty_page import write_page
from uncertainty_speed import speed
from uncertainty_truth import truth

RESULTS = Path(__file__).parent / "results" / "uncertainty.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["speed", "truth"])
    parser.add_argument("--page", action="store_true", help="only write the page from the numbers that there are")
    wanted = parser.parse_args()
    parts = [part for part in (speed, truth) if wanted.only in {None, part.__name__} and not wanted.page]
    found = {part.__name__: part() for part in parts}
    results = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))
    print(write_page(results))


if __name__ == "__main__":
    main()
