"""Run the suite's core on the oldest versions that gengap supports, or the newest, each in its environment.

    python scripts/try_versions.py oldest|newest [--whole] [--python 3.13] [--keras X] [--torch X] [pytest arguments]

The bounds are read from pyproject.toml: the oldest are the lowest that it names of every dependency (as uv resolves
them), the newest the latest releases of all of them, of Keras and torch below their upper bounds. `--python` takes
another interpreter than this one, and says where there is none. `--whole` runs all that `make test` runs, and writes
what it found into docs/matrix.json. The environment, `.venv-oldest`, `.venv-newest` or `.venv-newest-3.13`, is made
once. Torch from PyPI brings CUDA with it on Linux, some GB the first time; GENGAP_TORCH_INDEX may name an index of CPU
builds (https://download.pytorch.org/whl/cpu).
"""

import argparse
import os
import re
import shutil
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
    parser.add_argument("--python", help="version of another interpreter, e.g. 3.13")
    parser.add_argument("--whole", action="store_true", help="the whole suite, told to docs/matrix.json")
    parser.add_argument("tests", nargs="*", default=CORE)
    arguments, more = parser.parse_known_args()
    wanted = [getattr(arguments, name) or requirement(name, arguments.which) for name in ("keras", "torch")]
    base = interpreter(arguments.python)
    if base is None:
        print(f"{arguments.which}: there is no python{arguments.python} here, so nothing ran on it", flush=True)
        return 0
    python = environment("-".join(filter(None, (arguments.which, arguments.python))), wanted, base)
    print(f"{arguments.which}: {', '.join(wanted)} on {base}", flush=True)
    command = [str(python), "-m", "pytest", "-q", "-m", "not slow and not browser", *more]
    told = python.parents[1] / "suite.xml"
    command += ["-n", "2", "--dist", "loadfile", f"--junitxml={told}"] if arguments.whole else arguments.tests
    if arguments.which == "oldest":  # what newer libraries below them have come to warn of is nothing of gengap's
        command[4:4] = ["-W", "ignore::DeprecationWarning", "-W", "ignore::FutureWarning"]
    backend = {"KERAS_BACKEND": "torch", "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    code = subprocess.run(command, cwd=ROOT, env={**os.environ, **backend}, check=False).returncode
    if arguments.whole and code in {0, 1}:  # it came to its end
        subprocess.run([str(python), "scripts/matrix.py", "--suite", str(told)], cwd=ROOT, check=False)
    return code


def interpreter(version: str | None) -> str | None:
    """Return the interpreter of a version, None where it is not there; without a version this one."""
    if version is None or version == ".".join(map(str, sys.version_info[:2])):
        return sys.executable
    return shutil.which(f"python{version}")


def requirement(package: str, which: str) -> str:
    """Return what to install: `keras==3.15` for the oldest, `keras<3.17` for the newest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = next(one for one in project["dependencies"] if re.match(rf"{package}\b", one)).removeprefix(package)
    lowest, highest = (next(b for b in bounds.split(",") if b.startswith(sign)) for sign in (">=", "<"))
    return package + (lowest.replace(">=", "==") if which == "oldest" else highest)


def lowest(python: Path, wanted: list[str]) -> list[str]:
    """Return the lowest version of every direct dependency, as pins; those of other packages are uv's choice."""
    given = subprocess.run(
        [str(python), "-m", "uv", "pip", "compile", "--resolution", "lowest-direct", "--no-annotate", "--no-header",
         "--python", str(python), "pyproject.toml"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    named = {re.split(r"[=<> ]", one)[0] for one in wanted}
    return [one for one in given.splitlines() if one.partition("==")[0] not in named]


def environment(name: str, wanted: list[str], base: str) -> Path:
    """Return the interpreter of an environment that has these versions, made anew where they have changed."""
    folder = ROOT / f".venv-{name}"
    python, ready = folder / "bin" / "python", folder / ".ready"
    stamp = "\n".join([*wanted, (ROOT / "pyproject.toml").read_text()])
    if ready.exists() and ready.read_text() == stamp:
        return python
    if not python.exists():
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
    index = os.environ.get("GENGAP_TORCH_INDEX")
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
    pins = folder / "constraints.txt"
    lows = []
    if name.startswith("oldest"):
        subprocess.run([*pip, "uv"], check=True)
        lows = lowest(python, wanted)
    pins.write_text("\n".join([*lows, *wanted]) + "\n")
    pip += ["--constraint", str(pins), *(["--extra-index-url", index] if index else [])]
    subprocess.run([*pip, "--upgrade", "--group", "test", "--editable", ".", *wanted], cwd=ROOT, check=True)
    ready.write_text(stamp)
    return python


if __name__ == "__main__":
    sys.exit(main())
