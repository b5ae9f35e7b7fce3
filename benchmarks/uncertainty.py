"""What a predictive distribution costs and is worth: speed on the net of T2.2, coverage where the truth is known.

    python benchmarks/uncertainty.py [--only speed|truth]

Writes `benchmarks/results/uncertainty.json`; each part keeps what the other one wrote.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

from uncertainty_speed import speed
from uncertainty_truth import truth

RESULTS = Path(__file__).parent / "results" / "uncertainty.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["speed", "truth"])
    only = parser.parse_args().only
    found = {part.__name__: part() for part in (speed, truth) if only in {None, part.__name__}}
    results = (json.loads(RESULTS.read_text()) if RESULTS.exists() else {}) | found
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
