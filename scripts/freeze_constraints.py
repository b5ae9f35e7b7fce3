"""Write constraints.txt: the versions that development and CI are pinned to, read off the running environment."""

from importlib.metadata import distributions
from pathlib import Path

LEFT_OUT = {"gengap", "pip", "setuptools", "wheel"}


def main() -> None:
    found = {d.metadata["Name"].lower().replace("_", "-"): d.version.split("+")[0] for d in distributions()}
    lines = [f"{name}=={version}" for name, version in sorted(found.items()) if name not in LEFT_OUT]
    head = "# Made by scripts/freeze_constraints.py on Python 3.11; the package supports 3.11-3.13 and newer torch.\n"
    (Path(__file__).parents[1] / "constraints.txt").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
