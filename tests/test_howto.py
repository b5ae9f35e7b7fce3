"""The how-to pages hold real diffs: each still applies to this tree, and touches both the code and its tests."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("howto", ROOT / "scripts" / "howto.py")
howto = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(howto)

PAGES = sorted(path for path in (ROOT / "docs" / "howto").glob("*.md") if path.stem != "index")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def files_of(diff):
    return re.findall(r"^diff --git a/\S+ b/(\S+)$", diff, re.MULTILINE)


def apply(diff, *options, cwd=ROOT):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    command = ["git", "apply", *options, "-"]
    return subprocess.run(command, check=False, input=diff, capture_output=True, text=True, encoding="utf-8", cwd=cwd)


def test_there_is_a_page_for_everything_that_is_often_added():
    assert {page.stem for page in PAGES} == {
        "a_remedy", "a_fused_layer", "a_score", "a_finding", "a_language", "a_runner", "a_figure",
    }  # fmt: skip


@every_page
def test_the_diff_of_a_page_still_applies(page):
    diff = howto.diff_of(page)
    done = apply(diff, "--check", "--verbose")
    assert done.returncode == 0, f"{done.stderr}\nscripts/howto.py says how to write it anew"
    # git leaves out in silence what it takes for another tree's
    assert len(apply(diff, "--numstat").stdout.splitlines()) == len(files_of(diff))


@every_page
def test_a_diff_holds_code_and_tests_and_the_page_names_every_file(page):
    text = page.read_text(encoding="utf-8")
    prose = howto.BLOCK.sub("", text)
    files = files_of(howto.diff_of(page))
    assert any(file.startswith("src/") for file in files)
    assert any(file.startswith("tests/") for file in files)
    for file in files:
        assert Path(file).name in prose, f"{page.name} does not say what {file} is for"


def test_a_diff_that_no_longer_applies_is_found():
    diff = howto.diff_of(PAGES[0])
    changed = re.sub(r"^ (\S.*|\s+\S.*)$", r" \1 # changed", diff, flags=re.MULTILINE)
    assert apply(changed, "--check").returncode != 0
