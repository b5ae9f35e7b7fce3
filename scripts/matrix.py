"""Say what ran where: add this Python, Keras, torch and backends to docs/matrix.json, and write docs/matrix.md from it.

    python scripts/matrix.py            run the checks in this environment, on every backend that is installed
    python scripts/matrix.py --write    write the page from what was recorded

A check is a whole study (train, compare, ship, load in plain Keras) in a process of its own. Run it once in each
environment of a release; rows of other environments stay.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "docs" / "matrix.json", ROOT / "docs" / "matrix.md"
BACKENDS = ("torch", "jax", "tensorflow")
COLUMNS = ("python", "keras", "torch", "backend", "backend version", "numpy", "scikit-learn", "system")
CHECK = """
import tempfile
from pathlib import Path

import gengap as gg
import keras
import numpy as np

data = gg.datasets.diabetes()
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
study = gg.Study(model, remedies=["dropout(0.3)", "l2(0.01)"], seeds=3)
result = study.run(data, epochs=2, progress=False)
assert len(gg.compare(result).contrasts) == 2
with tempfile.TemporaryDirectory() as folder:
    path = gg.ship(result, "l2(0.01)").save(Path(folder) / "model.keras")[0]
    given = keras.saving.load_model(path).predict(data.test.x[:5], verbose=0)
assert np.isfinite(given).all()
print(study.engine)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="only write the page")
    rows = json.loads(RECORD.read_text()) if RECORD.exists() else []
    if not parser.parse_args().write:
        found = [ran(backend) for backend in BACKENDS if find_spec(backend) is not None]
        mine = {key(one) for one in found}
        rows = sorted([one for one in rows if key(one) not in mine] + found, key=key)
        RECORD.write_text(json.dumps(rows, indent=1) + "\n")
    PAGE.write_text(page(rows))
    return int(any(one["outcome"] != "ran" for one in rows))


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in COLUMNS)


def ran(backend: str) -> dict[str, str]:
    """Run the check on a backend in a process of its own."""
    paths = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    known = {"KERAS_BACKEND": backend, "MPLBACKEND": "Agg", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", CHECK], env={**os.environ, **known}, capture_output=True, text=True, check=False
    )
    said = done.stdout.strip() if done.returncode == 0 else (done.stderr.strip().splitlines() or ["ended"])[-1]
    return {
        "python": platform.python_version(),
        "keras": of("keras"),
        "torch": of("torch"),
        "backend": backend,
        "backend version": of(backend),
        "numpy": of("numpy"),
        "scikit-learn": of("scikit-learn"),
        "system": f"{platform.system()} {platform.machine()}",
        "outcome": "ran" if done.returncode == 0 else "failed",
        "engine": said,
        "day": datetime.now(UTC).date().isoformat(),
    }


def of(package: str) -> str:
    for name in (package, f"{package}-cpu"):  # TensorFlow has a second name
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "-"


def page(rows: list[dict[str, str]]) -> str:
    """Return the page of what was recorded."""
    shown = (*COLUMNS, "engine", "outcome", "day")
    lines = [
        "# What ran where",
        "",
        "Written by `scripts/matrix.py`, which runs a whole study (train, compare, ship, load in plain Keras) in each",
        "environment. `make test-versions` runs the suite's core on the lowest version of every dependency, and on the",
        "newest of each with every Python that is installed.",
        "",
        f"| {' | '.join(shown)} |",
        f"|{'---|' * len(shown)}",
        *(f"| {' | '.join(row[name] for name in shown)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
