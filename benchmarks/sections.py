"""The parts of pages that benchmarks write, each between marks that name its script."""

from pathlib import Path


def put_section(page: Path, script: str, section: str) -> None:
    """Put what a benchmark found in the place of what it wrote before.

    Args:
        page: The page. Without marks the section goes before its footnotes, or to its end.
        script: Name of the benchmark's file, which the marks name.
        section: What it found, in Markdown.
    """
    opening, closing = f"<!-- from benchmarks/{script} -->", f"<!-- end of benchmarks/{script} -->"
    whole, text = f"{opening}\n{section}\n{closing}", page.read_text()
    if opening in text:
        before, rest = text.split(opening)
        page.write_text(before + whole + rest.split(closing)[1])
        return
    before, mark, notes = text.partition("\n[^1]: ")
    page.write_text(f"{before.rstrip()}\n\n{whole}\n{mark and mark.join(('', notes))}")
