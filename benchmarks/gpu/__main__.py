"""The command line of the GPU benchmark; see `benchmarks/gpu/__init__.py`."""

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.workloads import WORKLOADS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
CONTESTANTS = ("gengap", "keras-torch", "keras-jax", "gengap-compiled")
CUDA_TESTS = ("tests/engine/test_on_cuda.py", "tests/sampling/test_on_cuda.py")
TESTS, RACE = 110, 75  # seconds that the tests, or one contestant, may take


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=330, help="after which nothing new is begun")
    parser.add_argument("--tiny", action="store_true", help="sizes for a machine without a card")
    parser.add_argument("--no-tests", action="store_true", help="race only")
    parser.add_argument("--workloads", nargs="*", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--contestants", nargs="*", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--output", type=Path, default=None, help="where results go")
    arguments = parser.parse_args(words)
    visit = Visit(arguments)
    if not arguments.no_tests:
        visit.test()
    for who in arguments.contestants:
        for workload in arguments.workloads:
            visit.race(who, workload)
    print("\n".join(table(visit.results)))
    failed = [f"{w}: {who}" for w, own in visit.results["races"].items() for who, one in own.items() if "error" in one]
    if failed or visit.results["tests"].get("rc", 0) not in {0, 5}:  # 5: no test was selected
        print(f"Failed: {', '.join(failed) or 'the tests'}", file=sys.stderr)
        return 1
    return 0


class Visit:
    """A short time on a machine, and what it has brought so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        import torch

        card = torch.cuda.is_available()
        self._end = time.monotonic() + arguments.seconds
        self._device, self._tiny = "cuda" if card else "cpu", arguments.tiny or not card
        self._output = arguments.output or (RESULTS if card and not self._tiny else None)
        self.results: dict[str, Any] = {
            "card": torch.cuda.get_device_name() if card else None,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": platform.python_version(),
            "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "tiny": self._tiny,
            "tests": {"skipped": "not asked for"},
            "races": {},
        }

    def test(self) -> None:
        """Run the tests that need a card; elsewhere they skip themselves."""
        command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", *CUDA_TESTS]
        rc, out, error = self._run(command, TESTS)
        self.results["tests"] = {"rc": rc, "summary": out[-1] if out else error[-500:], "output": out[-40:]}
        self._keep()

    def race(self, who: str, workload: str) -> None:
        """Let one contestant run one workload."""
        own = self.results["races"].setdefault(workload, {})
        if who == "keras-jax" and importlib.util.find_spec("jax") is None:
            own[who] = {"skipped": "JAX is not installed"}
        elif time.monotonic() > self._end:
            own[who] = {"skipped": "no time was left"}
        else:
            command = [sys.executable, "-m", "benchmarks.gpu.child", who, workload, "--device", self._device]
            rc, out, error = self._run([*command, *(["--tiny"] if self._tiny else [])], RACE)
            own[who] = json.loads(out[-1]) if rc == 0 else {"error": f"rc {rc}: {error[-1500:]}"}
        print(f"{workload}, {who}: {brief(own[who])}", file=sys.stderr, flush=True)
        self._keep()

    def _run(self, command: list[str], seconds: float) -> tuple[int, list[str], str]:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "torch"}
        limit = max(10.0, min(seconds, self._end - time.monotonic() + 15))
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            return 124, [], f"took longer than {limit:.0f} s"
        return done.returncode, done.stdout.strip().splitlines(), done.stderr

    def _keep(self) -> None:
        if self._output is not None:
            self._output.write_text(json.dumps(self.results, indent=1) + "\n")


def brief(one: dict[str, Any]) -> str:
    """Return what a contestant took, or why it did not."""
    if "epoch_of_a_run" in one:
        return f"{1e3 * one['epoch_of_a_run']:.2f} ms an epoch and run, {one['peak_mib']:.0f} MiB"
    return str(one.get("skipped") or one.get("error"))


def table(results: dict[str, Any]) -> list[str]:
    """Return the races as a table in Markdown."""
    lines = [
        "| workload | together | Keras on torch | Keras on JAX | gain over torch (wanted) | gain over JAX | compiled |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in results["races"].items():
        took = {who: one.get("epoch_of_a_run") for who, one in own.items()}
        cells = [_ms(took.get(who)) for who in ("gengap", "keras-torch", "keras-jax")]
        gains = [_gain(took.get(rival), took.get("gengap")) for rival in ("keras-torch", "keras-jax")]
        workload = WORKLOADS[name]
        runs = own.get("gengap", {}).get("runs", workload.runs)
        lines.append(
            f"| {runs} x {workload.title} | {' | '.join(cells)} | {gains[0]} ({workload.wanted:g}) | {gains[1]} "
            f"| {_ms(took.get('gengap-compiled'))} |"
        )
    return lines


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1e3 * seconds:.2f} ms"


def _gain(rival: float | None, own: float | None) -> str:
    return "–" if rival is None or own is None else f"{rival / own:.1f}"


if __name__ == "__main__":
    sys.exit(main())
