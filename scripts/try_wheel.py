"""Build the wheel and use it as somebody does who has installed it: another folder, another environment, nothing set.

    python scripts/try_wheel.py

The environment is empty but for the wheel; libraries are this interpreter's own, looked up behind it, so that
nothing is downloaded but what builds the wheel. The source tree is not on its path.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
EVERY_NAME = """
import importlib
import pkgutil
import sys

import gengap

assert gengap.__file__.startswith(sys.prefix), f"{gengap.__file__} is not the installed one"
rooms = [gengap, *(importlib.import_module(one.name) for one in pkgutil.iter_modules(gengap.__path__, "gengap."))]
names = [(room, name) for room in rooms for name in getattr(room, "__all__", ())]
for room, name in names:
    getattr(room, name)
assert len(names) > 300, f"only {len(names)} public names"
print(f"{len(names)} public names")
"""
STUDY = """
import gengap as gg
import keras

data = gg.datasets.diabetes()
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
result = gg.Study(model, remedies=["dropout(0.3)"], seeds=3).run(data, epochs=3, progress=False)
assert len(gg.compare(result).contrasts) == 1
result.save("study")
gg.report(result, "report.html")
assert "dropout(0.3)" in open("report.html", encoding="utf-8").read()
"""


def main() -> int:
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip"]
        run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)], cwd=folder)
        (wheel,) = folder.glob("gengap-*.whl")
        home = folder / "venv"
        venv.create(home, with_pip=False, symlinks=True)
        python = home / "bin" / "python"
        run([*pip, "--python", str(python), "install", "--quiet", "--no-deps", str(wheel)], cwd=folder)
        site = Path(
            run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], cwd=folder).strip()
        )
        # a path in a `.pth` file is searched last, and `.pth` files that lie there, an editable gengap's, are not read
        (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        work = folder / "elsewhere"
        work.mkdir()
        program = str(home / "bin" / "gengap")
        print(run([program, "--version"], cwd=work), end="")
        print(run([str(python), "-c", EVERY_NAME + STUDY], cwd=work), end="")
        print(run([program, "show", "study"], cwd=work).splitlines()[0])
    print(f"The wheel works: {wheel.name}, {time.perf_counter() - started:.0f} s.")
    return 0


def run(command: list[str], *, cwd: Path) -> str:
    """Run a command with nothing set but where programs and the home are, and return what it printed."""
    bare = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
    of_pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
    done = subprocess.run(
        command, cwd=cwd, env={**bare, **of_pip, "HOME": str(cwd)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)[:200]}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
