"""Say what ran where: add this Python, Keras, torch and backends to docs/matrix.json, and write docs/matrix.md from it.

    python scripts/matrix.py                run the check in this environment, on every backend that is installed
    python scripts/matrix.py --suite a.xml  record what `pytest --junitxml a.xml` found in this environment
    python scripts/matrix.py --write        write the page from what was recorded

A check is a whole study (train, compare, ship, load in plain Keras) in a process of its own. Run it once in each
environment of a release; rows of other environments stay. A suite may be told by several files, in the order in which
they were written: of a test the last one counts. Those that failed at first and ran again are counted. Files that could
not be collected at first must be asked for again in the last one.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[1]
RECORD, PAGE = ROOT / "docs" / "matrix.json", ROOT / "docs" / "matrix.md"
BACKENDS = ("torch", "jax", "tensorflow")
COLUMNS = ("python", "keras", "torch", "backend", "backend version", "numpy", "scikit-learn", "system")
LIBRARIES = ("keras", "torch", "numpy", "scipy", "pandas", "scikit-learn", "xarray", "matplotlib")
OUTCOMES = ("passed", "skipped", "failed")
"""From the best to the worst; a test that leaves two, such as of its call and its end, has the worse."""
AGAIN = "run again"
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
    parser.add_argument("--suite", nargs="+", type=Path, metavar="XML", help="what `pytest --junitxml` wrote here")
    parser.add_argument("--commit", help="what the last of them tested; otherwise what is checked out")
    given = parser.parse_args()
    record = json.loads(RECORD.read_text())
    if given.suite:
        record["suites"] = replaced(record["suites"], [suite(given.suite, given.commit or head())], suite_key)
    elif not given.write:
        found = [ran(backend) for backend in BACKENDS if find_spec(backend) is not None]
        record["studies"] = replaced(record["studies"], found, key)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    PAGE.write_text(page(record))
    fine = all(one["outcome"] == "ran" for one in record["studies"])
    return int(not fine or any(one["failed"] for one in record["suites"]))


def replaced(rows: list[Any], found: list[Any], key: Callable[[Any], tuple[str, ...]]) -> list[Any]:
    """Return the rows with these in place of those of the same environments."""
    mine = {key(one) for one in found}
    return sorted([one for one in rows if key(one) not in mine] + found, key=key)


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in COLUMNS)


def suite_key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("python", *LIBRARIES, "system"))


def suite(files: list[Path], commit: str) -> dict[str, Any]:
    """Return what the whole suite found in this environment, by the files in which pytest told it."""
    found = [outcomes(one) for one in files]
    for each in found[:-1]:  # what could not be collected holds no tests that could be told again
        for unread in [test for test in each if not test[0]]:
            del each[unread]
    last = {test: outcome for each in found for test, outcome in each.items()}
    later = {test for each in found[1:] for test in each}
    return {
        "python": platform.python_version(),
        **{name: of(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        **{name: list(last.values()).count(name) for name in OUTCOMES},
        AGAIN: sum(outcome == "failed" and test in later for test, outcome in found[0].items()),
        "commit": commit,
        "day": datetime.now(UTC).date().isoformat(),
    }


def outcomes(file: Path) -> dict[tuple[str, str], str]:
    """Return the outcome of every test that a file tells of."""
    found: dict[tuple[str, str], str] = {}
    for one in ET.parse(file).iter("testcase"):
        tags = {child.tag for child in one}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        test = (one.get("classname", ""), one.get("name", ""))
        found[test] = max(outcome, found.get(test, "passed"), key=OUTCOMES.index)
    return found


def head() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "-"


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


def page(record: dict[str, list[dict[str, Any]]]) -> str:
    """Return the page of what was recorded."""
    lines = [
        "# What ran where",
        "",
        "Written by `scripts/matrix.py` in each environment of a release.",
        "",
        "## A whole study",
        "",
        "Train, compare, ship, load in plain Keras, on every backend.",
        "",
        *table((*COLUMNS, "engine", "outcome", "day"), record["studies"]),
        "",
        "## The whole suite",
        "",
        "Every test but those marked `slow` and `browser`, on the lowest version of every dependency and on the newest",
        "of each (`make test-versions-whole`; `make test-versions` runs the suite's core there). Skipped is what asks",
        "for a package, a card or data that the environment lacks. *Run again* counts tests that failed at first:",
        "they or the package were mended, and their files ran again at the commit that is named.",
        "",
        *table(("python", *LIBRARIES, "system", *OUTCOMES, AGAIN, "commit", "day"), record["suites"]),
    ]
    return "\n".join(lines) + "\n"


def table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return head + [f"| {' | '.join(str(row[name]) for name in columns)} |" for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
