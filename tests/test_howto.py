"""The how-to pages hold real diffs: each still applies to this tree, and touches both the code and its tests."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
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


@pytest.mark.slow
@every_page
def test_with_the_diff_applied_the_tests_of_the_page_pass(page, tmp_path):
    for name in ("src", "tests", "scripts", "docs", "benchmarks", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    done = apply(howto.diff_of(page), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (asked,) = re.findall(r"^python -m (pytest .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    command = [sys.executable, "-m", *shlex.split(asked), "-q", "-p", "no:cacheprovider"]
    there = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    tested = subprocess.run(command, check=False, cwd=tmp_path, env=there, capture_output=True, text=True, timeout=900)
    assert tested.returncode == 0, tested.stdout[-3000:]


def test_a_diff_that_no_longer_applies_is_found():
    diff = howto.diff_of(PAGES[0])
    changed = re.sub(r"^ (\S.*|\s+\S.*)$", r" \1 # changed", diff, flags=re.MULTILINE)
    assert apply(changed, "--check").returncode != 0
