"""Run the suite's core on the oldest or the newest Keras and torch that gengap supports, each in its environment.

    python scripts/try_versions.py oldest|newest [--keras X] [--torch X] [pytest arguments]

The bounds are read from pyproject.toml: the oldest are what it names, the newest the latest releases below its upper
bounds. The environment, `.venv-oldest` or `.venv-newest`, is made once; all else in it is what `constraints.txt`
pins. Torch from PyPI brings CUDA with it on Linux, some GB the first time; GENGAP_TORCH_INDEX may name an index of
CPU builds (https://download.pytorch.org/whl/cpu).
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = (
    "tests/keras_models/test_private.py",
    "tests/engine/test_fused.py",
    "tests/engine/test_on_cuda.py",
    "tests/keras_models/test_outputs.py",
    "tests/engine/test_trainer.py",
    "tests/kernels",
    "tests/remedies",
    "tests/sampling",
    "tests/study",
)
"""What meets Keras and torch: layers, optimizers, losses, surgery, sampling, whole studies."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("oldest", "newest"))
    for package in ("keras", "torch"):
        parser.add_argument(f"--{package}", help=f"requirement instead of pyproject's, e.g. '{package}==3.14.1'")
    parser.add_argument("tests", nargs="*", default=CORE)
    arguments, more = parser.parse_known_args()
    wanted = [getattr(arguments, name) or requirement(name, arguments.which) for name in ("keras", "torch")]
    python = environment(arguments.which, wanted)
    print(f"{arguments.which}: {', '.join(wanted)}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-m", "not slow and not browser", *more, *arguments.tests]
    backend = {"KERAS_BACKEND": "torch", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **backend}, check=False).returncode


def requirement(package: str, which: str) -> str:
    """Return what to install: `keras==3.15` for the oldest, `keras<3.17` for the newest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = next(one for one in project["dependencies"] if re.match(rf"{package}\b", one)).removeprefix(package)
    lowest, highest = (next(b for b in bounds.split(",") if b.startswith(sign)) for sign in (">=", "<"))
    return package + (lowest.replace(">=", "==") if which == "oldest" else highest)


def environment(which: str, wanted: list[str]) -> Path:
    """Return the interpreter of an environment that has these versions, made anew where they have changed."""
    folder = ROOT / f".venv-{which}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    if ready.exists() and ready.read_text().split() == wanted:
        return python
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    others = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not re.match(r"(keras|torch|sympy)==|#", line.strip())  # torch 2.6 wants one version of sympy
    ]
    pins = folder / "constraints.txt"
    pins.write_text("\n".join([*others, *wanted]) + "\n")
    index = os.environ.get("GENGAP_TORCH_INDEX")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(pins)]
    pip += ["--extra-index-url", index] if index else []
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
    subprocess.run([*pip, "--upgrade", "--group", "test", "--editable", ".", *wanted], cwd=ROOT, check=True)
    ready.write_text("\n".join(wanted))
    return python


if __name__ == "__main__":
    sys.exit(main())
