"""Every code block of README and docs runs, page by page, in one namespace per page, with nothing set."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(?:<!-- needs: (\w+) -->\n)?```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text())]


SCRIPT = """
import matplotlib.pyplot as plt

namespace = {{"__name__": "__main__"}}
for number, code in enumerate({blocks!r}, start=1):
    exec(compile(code, f"{page}, block {{number}}", "exec"), namespace)
    plt.close("all")
assert len(namespace) > 2  # something was defined
"""


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs_with_nothing_set(environments, page, tmp_path):
    """As a reader has it who copies the page after `pip install`: no backend chosen, no settings of Keras."""
    found = BLOCK.findall(page.read_text())
    missing = [needed for needed, _ in found if needed and find_spec(needed) is None]
    blocks = [code for needed, code in found if needed not in missing]
    (tmp_path / "page.py").write_text(SCRIPT.format(blocks=blocks, page=page.name))
    done = environments.run(["page.py"], home=tmp_path / "home", cwd=tmp_path, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    if missing:
        pytest.skip(f"all ran but the blocks that need {', '.join(missing)}, not installed here")


def test_links_between_pages_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in link.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


@pytest.mark.parametrize("page", ["architecture", "maintaining"])
def test_every_file_that_a_page_for_maintainers_names_exists(page):
    rooms = ("src", "tests", "docs", "scripts", "benchmarks", "notebooks", "*.toml", "*.md", ".ci/run")
    tops = [top for room in rooms for top in ROOT.glob(room)]
    there = {path for top in tops for path in ([top] if top.is_file() else top.rglob("*.*"))}
    paths = {f"/{path.relative_to(ROOT)}" for path in there}
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = {name.lstrip("/") for name in re.findall(r"[\w./*-]+\.(?:py|pyi|toml)\b", text) if "*" not in name}
    assert len(named) > 20
    assert sorted(name for name in named if not any(path.endswith(f"/{name}") for path in paths)) == []
    folders = set(re.findall(r"`((?:src|tests|docs|scripts|benchmarks)/[\w/]+)`", text))
    assert sorted(folder for folder in folders if not (ROOT / folder).exists()) == []


def test_every_room_stands_in_both_maps():
    source = ROOT / "src" / "gengap"
    rooms = {path.name for path in source.iterdir() if (path / "__init__.py").exists()}
    rooms |= {path.stem for path in source.glob("[a-z]*.py")}
    for page in ("architecture", "maintaining"):
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        assert sorted(room for room in rooms if not re.search(rf"\b{re.escape(room)}\b", text)) == [], page
