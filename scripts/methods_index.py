"""Write docs/methods.md: each method that comes from a paper, the function that does it, the paper, the tests."""

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_pages import FOLDER, public_names, room_of

ROOT = Path(__file__).parents[1]
PAGE = FOLDER.parent / "methods.md"
MOST_TESTS = 3
SECTION = re.compile(r"^References:\n((?:    .*\n?|\n)+)", re.MULTILINE)
DOI = re.compile(r"(?:doi|arXiv)[: ]+(\S+?)(?=[.,;]?(?:\s|$))")

HEAD = """\
---
hide: [toc]
---

# Methods index

What comes from a paper: the method, the function, where it was published, and the tests that hold it. Written by
`python scripts/methods_index.py` from the docstrings' references and from the names that tests use (the files that name
a function most often, three at most); `tests/test_reference.py` refuses a method that is missing here or that no test
names.

| method | function | published in | tests |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Method:
    """One row.

    Attributes:
        path: The public name.
        room: The page of the reference that documents it.
        summary: First line of its docstring.
        papers: What its docstring cites.
        tests: Files of tests that use the name, relative to the repository.
    """

    path: str
    room: str
    summary: str
    papers: tuple[str, ...]
    tests: tuple[str, ...]

    def row(self) -> str:
        """Write the row."""
        tests = "<br>".join(f"<small>{one.replace('/', '/<wbr>')}</small>" for one in self.tests)
        link = f"[`{self.path.rsplit('.', 1)[1]}`](reference/{self.room}.md#{self.path})"
        return f"| {_plain(self.summary)} | {link} | {'<br>'.join(map(_linked, self.papers))} | {tests} |\n"


def methods() -> list[Method]:
    """Return the methods whose docstrings cite something, in the order of the reference."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    found = []
    for path, value in public_names().items():
        papers = cited(value)
        if papers:
            word = re.compile(rf"\b{re.escape(path.rsplit('.', 1)[1])}\b")
            counts = {str(one.relative_to(ROOT / "tests")): len(word.findall(text)) for one, text in texts.items()}
            named = sorted((one for one in counts if counts[one]), key=lambda one: (-counts[one], one))
            tests = tuple(named[:MOST_TESTS])
            summary = (inspect.getdoc(value) or "").split("\n", 1)[0].rstrip(".")
            found.append(Method(path, room_of(path, value), summary, papers, tests))
    return sorted(found, key=lambda one: (one.room, one.path.lower()))


def cited(value: Any) -> tuple[str, ...]:
    """Return what the docstring of an object cites, one text for each paper."""
    if not callable(value):
        return ()
    section = SECTION.search(inspect.getdoc(value) or "")
    if section is None:
        return ()
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc("\n" + section.group(1)))
    return tuple(" ".join(one.split()) for one in paragraphs if one.strip())


def page() -> str:
    """Write the page."""
    return HEAD + "".join(one.row() for one in methods())


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _linked(paper: str) -> str:
    def link(found: re.Match[str]) -> str:
        name = found.group(1)
        address = f"https://arxiv.org/abs/{name}" if "arXiv" in found.group(0) else f"https://doi.org/{name}"
        return f"[{name}]({address.replace('(', '%28').replace(')', '%29').replace('<', '%3C').replace('>', '%3E')})"

    return DOI.sub(link, _plain(paper).replace("<", "&lt;")) if "<" not in paper else _raw(paper)


def _raw(paper: str) -> str:
    """Write a paper whose DOI holds angle brackets, as the American Meteorological Society's old ones do."""
    found = DOI.search(paper)
    if found is None:
        return _plain(paper)
    name = found.group(1)
    shown = name.replace("<", "&lt;").replace(">", "&gt;")
    address = name.replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")
    return f"{_plain(paper[: found.start()])}[{shown}](https://doi.org/{address}){paper[found.end() :]}"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
