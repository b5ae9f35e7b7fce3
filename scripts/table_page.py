"""Write docs/tables.md: what a table may look like, from the awkward files of the tests and what the reader says."""

import sys
import tomllib
from pathlib import Path
from typing import Any

from gengap.datasets import TableEncoder
from gengap.datasets.table_files import Wanted, read_named
from gengap.errors import DataError

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "datasets" / "awkward_tables"
PAGE = ROOT / "docs" / "tables.md"
START, END = "<!-- made by scripts/table_page.py -->", "<!-- end -->"


def said(case: dict[str, Any]) -> str:
    """Return what the reader makes of a file: "read", or its sentence."""
    options, path = case.get("options", {}), FOLDER / case["file"]
    try:
        split = read_named(path, Wanted(encode=case.get("encode", False), **options)).split
        if case.get("encode"):
            TableEncoder.declare(split.x, name=str(path))
    except DataError as refused:
        sentence = str(refused).replace(f"{path}", case["file"])
        return "refused: " + sentence.replace("|", "\\|").replace("<", "&lt;")
    return "read"


def table(cases: list[dict[str, Any]]) -> str:
    """Return the table of one kind of awkwardness after the other."""
    lines = []
    for kind in dict.fromkeys(case["kind"] for case in cases):
        lines += [f"### {kind}", "", "| your file has | what happens |", "|---|---|"]
        lines += [f"| {case['what']} | {said(case)} |" for case in cases if case["kind"] == kind]
        lines.append("")
    return "\n".join(lines)


def page(old: str) -> str:
    """Return the page with its tables made anew."""
    cases = tomllib.loads((FOLDER / "cases.toml").read_text(encoding="utf-8"))["case"]
    before, rest = old.split(START)
    return f"{before}{START}\n\n{table(cases)}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    made = page(PAGE.read_text(encoding="utf-8"))
    if "--check" in sys.argv:
        sys.exit(made != PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(made, encoding="utf-8")
