"""A plain copy of any block of code works after `pip install` with nothing set: no backend, no Keras settings."""

import ast
import json
import os
import re
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

import gengap as gg

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(r"^ *(?:>>>|\.\.\.) ?(.*)$", re.MULTILINE)


def code_of_page(page):
    return "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))


def code_of_notebook(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def examples(path):
    """The code of each docstring's example in a source file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    return ["\n".join(EXAMPLE.findall(doc)) for doc in docs if ">>>" in doc]


def imports(code):
    """The import statements of a text in their order; what is no Python (a notebook's magic) is left out."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        tree = ast.parse("\n".join(line for line in code.splitlines() if re.match(r"(import|from) ", line)))
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def written():
    """Everything that readers copy, by where it stands."""
    found = {str(page.relative_to(ROOT)): code_of_page(page) for page in PAGES}
    found |= {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "notebooks").glob("*.py")}
    found |= {str(path.relative_to(ROOT)): code_of_notebook(path) for path in (ROOT / "docs").rglob("*.ipynb")}
    for path in sorted((ROOT / "src").rglob("*.py")):
        found |= {f"{path.relative_to(ROOT)} {number}": code for number, code in enumerate(examples(path))}
    return {place: code for place, code in found.items() if re.search(r"\bkeras\b", code)}


def test_gengap_is_imported_before_keras_wherever_code_is_shown():
    places = written()
    assert len(places) > 25
    for place, code in places.items():
        modules = [re.split(r"[ .]", one)[1] for statement in imports(code) for one in split(statement)]
        if "keras" not in modules:  # the word stands in text, as in a file that the code writes
            continue
        assert "gengap" in modules, place
        assert "keras" not in modules[: modules.index("gengap")], f"{place}: Keras before gengap"


def split(statement):
    """`import a as b, c` as one statement for each module."""
    if statement.startswith("from "):
        return [statement]
    return [f"import {part.strip()}" for part in statement.removeprefix("import ").split(",")]


ONE = """
import json, os, sys
failed = {}
# each in a process of its own, so that none profits from the imports of another
for place, lines in json.load(open(sys.argv[1])).items():
    child = os.fork()
    if not child:
        try:
            exec("\\n".join(lines), {})
        except BaseException as error:
            print(f"{place}: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed[place] = lines
sys.exit(bool(failed))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed, so Keras finds a backend")
def test_the_imports_of_every_block_work_with_nothing_set(environments, tmp_path):
    sequences = {}
    for place, code in written().items():
        modules = [re.split(r"[ .]", one)[1] for statement in imports(code) for one in split(statement)]
        wanted = tuple(dict.fromkeys(one for one in modules if one in {"gengap", "keras", "torch"}))
        sequences.setdefault(wanted, place)
    assert ("gengap", "keras") in sequences
    # what begins another sequence is tried there: each takes seconds to import
    begun = {longer[:count] for longer in sequences for count in range(1, len(longer))}
    sequences = {wanted: place for wanted, place in sequences.items() if wanted not in begun}
    (tmp_path / "imports.json").write_text(
        json.dumps({at: [f"import {one}" for one in all_] for all_, at in sequences.items()})
    )
    done = environments.run(["-c", ONE, tmp_path / "imports.json"], home=tmp_path / "home", timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed, so Keras finds a backend")
def test_keras_alone_finds_no_backend_here(environments, tmp_path):
    """Else the tests of this file would prove nothing."""
    done = environments.run(["-c", "import keras"], home=tmp_path)
    assert "No module named 'tensorflow'" in done.stderr


def test_the_code_of_a_variant_runs_with_nothing_set(environments, tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    (tmp_path / "variant.py").write_text(gg.to_code(gg.Dropout(0.5)(model)) + "\nprint(keras.config.backend())\n")
    done = environments.run([tmp_path / "variant.py"], home=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, keras.config.backend()), done.stderr


def test_a_backend_that_is_set_is_not_changed(environments, tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "numpy"}')
    code = "import gengap, os; print(os.environ.get('KERAS_BACKEND'))"
    done = environments.run(["-c", code], home=tmp_path)
    assert done.stdout.strip() == "None", done.stderr
    code = "import os; os.environ['KERAS_BACKEND'] = 'jax'; import gengap; print(os.environ['KERAS_BACKEND'])"
    assert environments.run(["-c", code], home=tmp_path).stdout.strip() == "jax"


def test_the_page_on_backends_is_in_the_menu():
    assert "installing.md" in (ROOT / "mkdocs.yml").read_text()
    assert Path(ROOT / "docs" / "installing.md").read_text().count("KERAS_BACKEND") >= 2
