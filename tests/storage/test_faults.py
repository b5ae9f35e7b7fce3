"""The small version of `benchmarks/faults.py`: kills, writes cut short, full disks, damage, two writers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "benchmarks" / "faults.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
@pytest.mark.slow
def test_a_mistreated_study_ends_with_the_numbers_of_an_undisturbed_one(tmp_path):
    output = tmp_path / "faults.json"
    numbers = {"kills": 9, "writes": 4, "damage": 4, "writers": 1, "workers": 0}
    arguments = [text for name, number in numbers.items() for text in (f"--{name}", str(number))]
    done = subprocess.run(
        [sys.executable, HARNESS, *arguments, "--output", output],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(output.read_text())
    assert report["failures"] == []
    assert report["counts"]["kills"] >= 9
    assert report["counts"]["kills inside a write"] >= 3
    assert report["counts"]["resumed to the same bits"] >= 6
    assert len(report["moments"]) == report["counts"]["kills"]
