"""The rooms of docs/architecture.md and the direction of their imports, read from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "gengap"

ORDER = (
    "errors", "_version", "randomness", "shared_generators", "naming", "datasets", "verification", "intake",
    "rebuilding", "result_file", "results", "analysis", "remedies", "engine", "storage",
    "runners", "study", "sampling", "experiments", "plots", "reporting", "cli",
)  # fmt: skip
SAME_HEIGHT = {"datasets": "verification", "verification": "datasets"}
FORBIDDEN = {
    "verification": {"keras", "torch", "xarray", "matplotlib", "jinja2", "rich"},
    "results": {"torch", "matplotlib"},
    "rebuilding": {"torch", "matplotlib"},
    "analysis": {"keras", "torch", "matplotlib"},
    "datasets": {"torch", "matplotlib"},
    "reporting": {"keras", "torch"},
    "plots": {"torch"},
}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path, *, top_level_only: bool = False) -> list[str]:
    """Absolute names of all modules that a file imports, those inside functions too."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide their direction"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.name != "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    here = room(path)
    assert here in ORDER, f"{here} is no room of the architecture"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "gengap" or len(parts) == 1:
            continue
        there = parts[1]
        if there in {here, "__version__"}:
            continue
        assert ORDER.index(there) < ORDER.index(here), f"{here} imports upwards: {name}"
        assert SAME_HEIGHT.get(here) != there, f"{here} and {there} stand side by side"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_rooms_keep_to_their_libraries(path):
    forbidden = FORBIDDEN.get(room(path), set())
    # results and datasets may reach for Keras inside a function (rebuilding a model, downloading a file)
    heavy = {name.split(".")[0] for name in imported(path)}
    assert not heavy & forbidden
    if room(path) in {"results", "rebuilding", "datasets", "cli", "plots"}:
        at_import = {name.split(".")[0] for name in imported(path, top_level_only=True)}
        assert not at_import & {"keras", "torch"}


def test_nothing_is_called_utils():
    assert not list(SOURCE.rglob("*util*.py"))


@pytest.mark.parametrize("module", ["gengap.results", "gengap.analysis", "gengap.verification", "gengap.reporting"])
def test_a_result_is_read_without_keras_or_torch(module):
    code = f"import sys, {module}; assert not {{'keras', 'torch'}} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
