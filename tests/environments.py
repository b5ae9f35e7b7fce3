"""Environments of this interpreter with fewer packages and no settings, for what must work there: made of links."""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]


def declared(*, without=()):
    """The distributions that the project's dependencies need, without some of these and what only they need."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, Distribution] = {}
    todo = [name for name in map(_name, project["dependencies"]) if name not in without]
    while todo:
        name = todo.pop()
        if name in found or name in without:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # for another system or Python
            continue
        todo += [_name(one) for one in found[name].requires or () if "extra ==" not in one]
    return found


def make(folder, *, without=()):
    """Link the declared packages, less some, and the project into a folder, and return it."""
    folder.mkdir(parents=True)
    for one in declared(without=without).values():
        for part in {file.parts[0] for file in one.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            if not (folder / part).exists():
                (folder / part).symlink_to(one.locate_file(part))
    for own in ("gengap", "gengap_examples"):
        (folder / own).symlink_to(ROOT / "src" / own)
    return folder


def run(arguments, *, packages=None, home, cwd=None, timeout=120):
    """Run Python with nothing set: no Keras backend, an empty home; and with `packages` only, where they are given."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    settings = {"HOME": str(home), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    python, path = (sys.executable, str(ROOT / "src")) if packages is None else (sys._base_executable, str(packages))
    options = [] if packages is None else ["-S"]  # without site-packages of its own
    return subprocess.run(
        [python, *options, *map(str, arguments)], env=kept | settings | {"PYTHONPATH": path},
        check=False, capture_output=True, text=True, timeout=timeout, cwd=cwd,
    )  # fmt: skip


def _name(requirement):
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
