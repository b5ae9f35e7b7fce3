"""The GPU benchmark runs where there is no GPU, so that it works on the day there is one."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gpu import __main__ as bench  # noqa: E402
from benchmarks.gpu import child  # noqa: E402
from benchmarks.gpu.page import section  # noqa: E402
from benchmarks.gpu.workloads import WORKLOADS  # noqa: E402


def in_this_process(_self, command, _seconds):
    """Do what a contestant's process would do, without starting one."""
    who, workload = command[3:5]
    arguments = argparse.Namespace(who=who, workload=workload, device="cpu", tiny="--tiny" in command)
    return 0, [json.dumps(child.race(arguments))], ""


ALL_BUT_ONE = [pytest.param(name, marks=pytest.mark.slow) for name in sorted(set(WORKLOADS) - {"tabular"})]


@pytest.mark.filterwarnings("ignore::gengap.errors.SlowPathWarning")
@pytest.mark.parametrize("name", ["tabular", *ALL_BUT_ONE])
def test_every_workload_runs_at_tiny_sizes(name, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench.Visit, "_run", in_this_process)
    written = tmp_path / "gpu.json"
    words = ["--no-tests", "--contestants", "gengap", "keras-torch", "--workloads", name, "--output", str(written)]
    assert bench.main(words) == 0
    results = json.loads(written.read_text())
    assert results["card"] is None
    assert results["tiny"]
    own, rival = results["races"][name]["gengap"], results["races"][name]["keras-torch"]
    assert own["epoch_of_a_run"] > 0 < rival["epoch_of_a_run"]
    assert own["runs"] == WORKLOADS[name].tiny().runs
    assert own["profile"]["step_ms"] > 0
    assert f"2 x {WORKLOADS[name].title}" in capsys.readouterr().out


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=list(WORKLOADS))
def test_every_net_takes_the_data_of_its_workload(workload):
    tiny = workload.tiny()
    x, y, x_held, _ = tiny.data()
    assert x.shape == (tiny.cases, *tiny.shape)
    assert set(y) == {0, 1}
    assert tiny.build(x.shape[1])(x_held[:3]).shape == (3, 1)


def test_a_contestant_that_fails_is_named_and_the_script_says_so(monkeypatch, capsys):
    monkeypatch.setattr(bench.Visit, "_run", lambda *_: (1, [], "out of memory"))
    words = ["--no-tests", "--tiny", "--contestants", "gengap", "--workloads", "lstm"]
    assert bench.main(words) == 1
    assert "lstm: gengap" in capsys.readouterr().err


def test_what_there_was_no_time_for_is_said(monkeypatch, capsys):
    monkeypatch.setattr(bench.Visit, "_run", in_this_process)
    words = ["--no-tests", "--tiny", "--seconds", "-1", "--contestants", "gengap", "--workloads", "tabular"]
    assert bench.main(words) == 0
    assert "no time was left" in capsys.readouterr().err


def test_the_page_says_what_was_measured_and_no_more():
    results = json.loads(bench.RESULTS.read_text()) if bench.RESULTS.exists() else None
    page = (ROOT / "docs" / "performance_training.md").read_text()
    assert "\n".join(section(results)) in page
    if results is None:
        assert "Not measured yet" in page


def test_the_section_names_the_card_and_shows_every_race():
    profile = {"step_ms": 2.5, "device_ms": 1.25, "launches": 321, "waits": 0}
    own = {"epoch_of_a_run": 0.001, "peak_mib": 100.0, "runs": 30, "profile": profile}
    races = {"lstm": {"gengap": own, "keras-torch": {"epoch_of_a_run": 0.02, "peak_mib": 50.0}}}
    results = {
        "card": "A card", "torch": "2.11", "cuda": "13.0", "when": "today", "tests": {"summary": "9 passed"},
        "races": races,
    }  # fmt: skip
    text = "\n".join(section(results))
    assert "A card" in text
    assert "| 30 x LSTM | 1.00 ms | 20.00 ms | – | 20.0 (8) | – | – |" in text
    assert "| lstm | 2.50 | 1.25 | 321 | 0 | 100 | 50 |" in text
    assert "9 passed" in text


@pytest.mark.slow
def test_the_script_itself_passes(tmp_path):
    written = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--workloads", "tabular", "--output", str(written)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(written.read_text())
    assert set(results["races"]["tabular"]) == {"gengap", "keras-torch", "keras-jax", "gengap-compiled"}
    assert results["tests"]["rc"] == 0
