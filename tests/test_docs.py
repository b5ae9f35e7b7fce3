"""Every code block of README and docs runs, page by page, in one namespace per page."""

import re
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^(?:<!-- needs: (\w+) -->\n)?```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
WITH_CODE = [page for page in PAGES if BLOCK.search(page.read_text())]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace, missing = {"__name__": "__main__"}, []
    for number, (needed, code) in enumerate(BLOCK.findall(page.read_text()), start=1):
        if needed and find_spec(needed) is None:
            missing.append(needed)
            continue
        exec(compile(code, f"{page.name}, block {number}", "exec"), namespace)
    plt.close("all")
    assert len(namespace) > 2  # something was defined
    if missing:
        pytest.skip(f"all ran but the blocks that need {', '.join(missing)}: `make docs` installs them")


def test_links_between_pages_lead_somewhere():
    link = re.compile(r"\]\((?!https?:|#)([^)#]+)")
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in link.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken
