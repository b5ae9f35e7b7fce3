"""What a release states in two places agrees, and the matrix's page is what was recorded."""

import json
import re
import sys
from pathlib import Path

import gengap as gg

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import matrix  # noqa: E402  a script, beside the package


def test_the_citation_has_the_version_and_licence_of_the_package():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", text, re.MULTILINE)[1] == gg.__version__
    assert "license: Apache-2.0" in text
    assert text.startswith("cff-version: 1.2.0")


def test_the_matrix_is_what_was_recorded():
    record = json.loads(matrix.RECORD.read_text())
    assert matrix.PAGE.read_text() == matrix.page(record)
    assert {one["outcome"] for one in record["studies"]} == {"ran"}
    assert all(set(matrix.COLUMNS) <= set(one) for one in record["studies"])
    assert {one["failed"] for one in record["suites"]} <= {0}


def test_what_a_suite_found_is_counted_test_by_test(tmp_path):
    """Two of the tests that failed ran again: one passes now. Of another no later file tells."""
    case = '<testcase classname="tests.a" name="{}">{}</testcase>'.format
    first = [case("one", ""), case("two", "<failure/>"), case("three", "<skipped/>"), case("four", "<failure/>")]
    ended = [case("five", ""), case("five", "<error/>")]  # its call passed, and its end did not
    ended.append('<testcase classname="" name="tests.b"><error/></testcase>')  # it was not collected
    for name, cases in {"a": [*first, *ended], "b": [case("two", ""), case("five", "<error/>")]}.items():
        (tmp_path / f"{name}.xml").write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    found = matrix.suite([tmp_path / "a.xml", tmp_path / "b.xml"], "abc")
    assert [found[name] for name in matrix.OUTCOMES] == [2, 1, 2]
    assert found[matrix.AGAIN] == 2
    assert found["commit"] == "abc"


def test_the_checklist_names_commands_that_exist():
    text = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {one for line in re.findall(r"^([a-z][\w -]*):", makefile, re.MULTILINE) for one in line.split()}
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= targets
    assert all((ROOT / one).exists() for one in re.findall(r"`?python (scripts/\w+\.py)", text))
