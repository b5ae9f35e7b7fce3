"""The reference names every public thing, and the methods index every method that comes from a paper."""

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scripts():
    sys.path.insert(0, str(ROOT / "scripts"))
    yield importlib.import_module("reference_pages"), importlib.import_module("methods_index")
    sys.path.remove(str(ROOT / "scripts"))


def documented():
    pages = (ROOT / "docs" / "reference").glob("*.md")
    return [name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)]


def test_every_public_name_is_documented_once(scripts):
    names = documented()
    assert sorted(names) == sorted(scripts[0].public_names())


def _has_docstring(value):
    return inspect.isclass(value) or inspect.isfunction(value)


def test_every_public_name_says_what_it_is(scripts):
    silent = [path for path, value in scripts[0].public_names().items() if _has_docstring(value) and not value.__doc__]
    assert not silent


def test_the_written_pages_are_those_that_the_script_writes(scripts):
    for name, text in scripts[0].pages().items():
        assert (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8") == text, name


def test_the_methods_index_names_every_method_with_its_paper(scripts):
    rows = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8").splitlines()
    methods = scripts[1].methods()
    assert len(methods) > 40
    written = {re.search(r"\.md#(\S+)\)", row).group(1): row for row in rows if ".md#" in row}
    assert set(written) == {method.path for method in methods}
    for method in methods:
        assert method.row().rsplit(" | ", 1)[0] == written[method.path].rsplit(" | ", 1)[0]


def test_the_tests_that_the_methods_index_names_are_there(scripts):
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    for method in scripts[1].methods():
        row = next(line for line in text.splitlines() if f"#{method.path})" in line)
        files = re.findall(r"<small>([\w/]+\.py)</small>", row.rsplit(" | ", 1)[1].replace("<wbr>", ""))
        assert files, method.path
        name = method.path.rsplit(".", 1)[1]
        assert all(name in (ROOT / "tests" / one).read_text(encoding="utf-8") for one in files), method.path


def test_a_paper_becomes_a_link(scripts):
    linked = scripts[1]._linked("Murphy, A. H. (1973). JAM 12. doi 10.1175/1520-0450(1973)012<0595:A>2.0.CO;2")
    assert linked.endswith("(https://doi.org/10.1175/1520-0450%281973%29012%3C0595:A%3E2.0.CO;2)")
    assert scripts[1]._linked("Gal (2016). arXiv:1506.02142.") == (
        "Gal (2016). [1506.02142](https://arxiv.org/abs/1506.02142)."
    )
