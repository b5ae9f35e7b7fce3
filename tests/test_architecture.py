"""The rooms of docs/architecture.md and the direction of their imports, read from the source itself."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "gengap"
EXAMPLES = SOURCE.parent / "gengap_examples"

ORDER = (
    "errors", "_version", "deprecated", "randomness", "naming", "datasets", "verification", "results", "analysis",
    "keras_models", "remedies", "plots", "kernels", "layers", "engine", "storage", "runners", "study", "sampling",
    "experiments", "shipping", "searching", "estimators", "tracking", "reporting", "improving", "doctor", "cli",
)  # fmt: skip
SAME_HEIGHT = {"datasets": "verification", "verification": "datasets"}
FORBIDDEN = {
    "verification": {"keras", "torch", "xarray", "matplotlib", "jinja2", "rich"},
    "results": {"torch", "matplotlib"},
    "analysis": {"keras", "torch", "matplotlib"},
    "datasets": {"torch", "matplotlib"},
    "reporting": {"keras", "torch"},
    "plots": {"torch"},
}
PRIVATE_PARTS = "keras_models/private.py"
"""The one file that names what Keras does not publish."""

ANALYSIS = ("numbers", "text_tables", "tables", "findings", "claims", "cases", "climatology", "curves",
            "run_curves", "summary", "inference", "uncertainty", "comparison", "decision", "diagnosis")  # fmt: skip
"""The rooms within the analysis, each of which may look at those before it."""


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports_of(tree: ast.Module, *, top_level_only: bool = False) -> list[str]:
    """Absolute names of all modules that a file imports, those inside functions too."""
    names: list[str] = []
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += ["." * node.level + f"{node.module}.{alias.name}" for alias in node.names]
    return names


def upward_imports(here: str, tree: ast.Module) -> list[str]:
    """What a file of a room imports from rooms above or beside it, or without saying from where."""
    bad = []
    for name in imports_of(tree):
        parts = name.split(".")
        if name.startswith("."):
            bad.append(name)
        elif parts[0] == "gengap" and len(parts) > 1 and parts[1] not in {here, "__version__"}:
            there = parts[1]
            if there not in ORDER or ORDER.index(there) > ORDER.index(here) or SAME_HEIGHT.get(here) == there:
                bad.append(name)
    return bad


def forbidden_libraries(here: str, tree: ast.Module) -> set[str]:
    """Which libraries a file loads that its room must do without."""
    # results and datasets may reach for Keras inside a function (rebuilding a model, downloading a file)
    bad = {name.split(".")[0] for name in imports_of(tree)} & FORBIDDEN.get(here, set())
    if here in {"results", "datasets", "cli", "plots"}:
        bad |= {name.split(".")[0] for name in imports_of(tree, top_level_only=True)} & {"keras", "torch"}
    return bad


OTHERS_PRIVATE_PARTS = {
    "torch": ("kernels/optimizers.py", r"torch(\.\w+)*\._[a-z]"),
    "scipy": ("kernels/sparse.py", r"(scipy|sparse)(\.\w+)*\._[a-z]"),
    "numba": ("kernels/numba_parts.py", r"numba\.core|numba(\.\w+)*\._[a-z]"),
}
"""The one file of each other library that names what it does not publish, and how such a name reads."""


@cache
def private_classes() -> set[str]:
    """The classes that the file of private parts takes out of `keras.src`, by name."""
    nodes = ast.walk(ast.parse((SOURCE / PRIVATE_PARTS).read_text()))
    found = [node for node in nodes if isinstance(node, ast.ImportFrom) and f"{node.module}".startswith("keras.src")]
    return {alias.name for node in found for alias in node.names if alias.name[0].isupper()}


@cache
def private_names() -> set[str]:
    """The names with an underscore that the file of private parts opens."""
    nodes = list(ast.walk(ast.parse((SOURCE / PRIVATE_PARTS).read_text())))
    written = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    touched = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return {name for name in touched | written if is_private(name) and name.isidentifier()}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def keras_private_parts(tree: ast.Module) -> Iterator[str]:
    """Where a file opens what Keras does not publish, or judges a thing by the module that its class comes from."""
    yield from (name for name in imports_of(tree) if name.startswith("keras.src"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            if text.startswith("keras.src") or (node.attr in private_names() and not own):
                yield text
        if names_a_private_part(node) or judges_by_module(node):
            yield ast.unparse(node)


def names_a_private_part(node: ast.AST) -> bool:
    """A name in quotes, or an attribute that is reached past Keras' own way of getting and setting."""
    past = isinstance(node, ast.Subscript) and ast.unparse(node.value).startswith("vars(")
    if past or (isinstance(node, ast.Attribute) and ast.unparse(node) == "keras.Operation.__new__"):
        return True
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    return node.value in private_names() | private_classes()


def judges_by_module(node: ast.AST) -> bool:
    """A test of where a class comes from against Keras' own modules."""
    text = ast.unparse(node) if isinstance(node, ast.Compare | ast.Call) else ""
    return "__module__" in text and re.search(r"[\"']keras", text) is not None


def others_private_parts(library: str, tree: ast.Module) -> list[str]:
    """Where a file opens what another library does not publish."""
    pattern = OTHERS_PRIVATE_PARTS[library][1]
    touched = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [name for name in [*imports_of(tree), *touched] if re.match(pattern, name)]


FILES = sorted(p for p in SOURCE.rglob("*.py") if p.parent != SOURCE or p.name != "__init__.py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


over_files = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))


@over_files
def test_imports_point_downwards(path):
    assert room(path) in ORDER, f"{room(path)} is no room of the architecture"
    assert not upward_imports(room(path), tree_of(path))


@over_files
def test_rooms_keep_to_their_libraries(path):
    assert not forbidden_libraries(room(path), tree_of(path))


@over_files
def test_one_file_opens_the_private_parts_of_keras(path):
    if path != SOURCE / PRIVATE_PARTS:
        assert not list(keras_private_parts(tree_of(path)))


@pytest.mark.parametrize("library", OTHERS_PRIVATE_PARTS)
def test_one_file_opens_the_private_parts_of_another_library(library):
    openers = {str(p.relative_to(SOURCE)) for p in FILES if others_private_parts(library, tree_of(p))}
    assert openers == {OTHERS_PRIVATE_PARTS[library][0]}


@pytest.mark.parametrize(
    ("library", "planted"),
    [
        ("torch", "torch._foreach_add_(a, b)"),
        ("torch", "from torch._dynamo import reset"),
        ("scipy", "from scipy.sparse import _sparsetools"),
        ("numba", "from numba.core import types"),
    ],
)
def test_a_planted_private_part_of_another_library_is_found(library, planted):
    assert others_private_parts(library, ast.parse(planted))


@pytest.mark.parametrize(
    ("here", "planted"),
    [
        ("verification", "from gengap.results import Result"),
        ("engine", "def f():\n    from gengap.study import Study"),
        ("datasets", "import gengap.verification.scores"),
        ("remedies", "from . import base"),
        ("analysis", "from gengap.no_such_room import x"),
    ],
)
def test_a_planted_import_upwards_is_found(here, planted):
    assert upward_imports(here, ast.parse(planted))


@pytest.mark.parametrize(
    ("here", "planted"),
    [
        ("analysis", "def f():\n    import keras"),
        ("verification", "import xarray as xr"),
        ("plots", "import keras"),
        ("reporting", "from torch import nn"),
    ],
)
def test_a_planted_library_is_found(here, planted):
    assert forbidden_libraries(here, ast.parse(planted))


@pytest.mark.parametrize(
    "planted",
    [
        "from keras.src.models.functional import Functional",
        "device = keras.src.backend.torch.core.get_device()",
        "operation = tensor._keras_history.operation",
        "mask = getattr(tensor, '_keras_mask', None)",
        "options = vars(loss)['_fn_kwargs']",
        "own = type(layer).__module__.startswith('keras.')",
        "layers = model._flatten_layers()",
        "own = 'keras' in type(layer).__module__",
        "own = type(layer).__module__.split('.')[0] == 'keras'",
        "saveable = next(cls for cls in keras.Layer.__mro__ if cls.__name__ == 'KerasSaveable')",
        "vars(layer)['call'] = call",
        "keras.Operation.__new__ = made",
    ],
)
def test_a_planted_private_part_is_found(planted):
    assert list(keras_private_parts(ast.parse(planted)))


def test_rooms_of_the_analysis_look_only_at_those_before_them():
    for path in (SOURCE / "analysis").rglob("*.py"):
        here = path.relative_to(SOURCE / "analysis").parts[0].removesuffix(".py")
        if here == "__init__":
            continue
        assert here in ANALYSIS, f"{here} is no room of the analysis"
        for name in imports_of(tree_of(path)):
            if match := re.match(r"gengap\.analysis\.(\w+)", name):
                assert ANALYSIS.index(match[1]) <= ANALYSIS.index(here), f"{path}: {name}"


def test_only_the_command_line_opens_the_examples():
    openers = {
        room(p) for p in FILES if any(name.split(".")[0] == "gengap_examples" for name in imports_of(tree_of(p)))
    }
    assert openers <= {"cli"}


def test_the_examples_stand_beside_gengap_and_not_above_its_command_line():
    for path in EXAMPLES.glob("*.py"):
        assert not [name for name in imports_of(ast.parse(path.read_text())) if name.startswith("gengap.cli")]


def test_nothing_is_called_utils():
    assert not list(SOURCE.rglob("*util*.py"))


def test_no_file_of_the_core_is_longer_than_a_reader_can_hold():
    too_long = {str(p.relative_to(SOURCE)): n for p in FILES if (n := len(p.read_text().splitlines())) > 400}
    assert not too_long


def test_no_function_is_longer_than_a_screen():
    """Bodies only: the public docstring of a function of many options may be as long as it must."""
    too_long = {}
    for path in FILES:
        tree = tree_of(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
                body = node.body[1:] if documented else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                if lines > 50 and not path.name.endswith("_code.py"):
                    too_long[f"{path.relative_to(SOURCE)}:{node.name}"] = lines
    assert not too_long


def long_signatures(tree: ast.AST, most: int = 20) -> dict[str, int]:
    """Functions with more parameters than `fit_many`, which takes what `Model.fit` takes."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    counts = {one.name: len(one.args.posonlyargs + one.args.args + one.args.kwonlyargs) for one in functions}
    return {name: count for name, count in counts.items() if count > most}


def comments_per_100_lines(text: str) -> float:
    """Comments that say something, beside code or above it, for 100 lines that are not blank."""
    lines = [line for line in text.splitlines() if line.strip()]
    comments = [line for line in lines if re.search(r"(^|\s)# (?!noqa|type:|fmt:)", line)]
    return 100 * len(comments) / max(len(lines), 1)


def anys_per_1000_lines(text: str) -> float:
    return 1000 * len(re.findall(r"\bAny\b", text)) / max(len(text.splitlines()), 1)


def test_no_signature_is_longer_than_that_of_fit_many():
    assert not {str(path.relative_to(SOURCE)): found for path in FILES if (found := long_signatures(tree_of(path)))}
    planted = f"def f({', '.join(f'option_{n}=None' for n in range(21))}): ..."
    assert long_signatures(ast.parse(planted)) == {"f": 21}


def test_kernels_say_why():
    """Arithmetic that nobody explains cannot be maintained: derivations, rejected ways, limits of versions."""
    assert comments_per_100_lines("\n".join(p.read_text() for p in (SOURCE / "kernels").glob("*.py"))) >= 3
    assert comments_per_100_lines("x = 1\ny = 2  # noqa: E501\n") == 0


def test_types_say_more_than_any():
    """As many as the second edition of the house began with, to its size; more of them is a step back."""
    assert anys_per_1000_lines("\n".join(p.read_text() for p in FILES)) <= 39
    assert anys_per_1000_lines("x: Any\n") == 1000


@pytest.mark.parametrize("module", ["gengap.results", "gengap.analysis", "gengap.verification", "gengap.reporting"])
def test_a_result_is_read_without_keras_or_torch(module):
    code = f"import sys, {module}; assert not {{'keras', 'torch'}} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
