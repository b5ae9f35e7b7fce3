"""Write docs/findings: one page per code, made from the registry in gengap.analysis.codes."""

from pathlib import Path

from gengap.analysis.codes import CODES, Code

FOLDER = Path(__file__).parents[1] / "docs" / "findings"


def page(code: Code) -> str:
    function = "diagnose" if code.code.startswith("GG1") else "audit"
    return (
        f"# {code.code}: {code.title}\n\n{code.meaning}\n\n## What to do\n\n{code.remedy}\n\n"
        f"Not of interest here? `gg.{function}(result, ignore=[{code.code!r}])`.\n"
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for code in CODES.values():
        (FOLDER / f"{code.code}.md").write_text(page(code), encoding="utf-8")
    rows = "".join(f"| [{code.code}]({code.code}.md) | {code.title} |\n" for code in CODES.values())
    (FOLDER / "index.md").write_text(f"# Findings\n\n| code | finding |\n|---|---|\n{rows}", encoding="utf-8")


if __name__ == "__main__":
    main()
