"""Make docs/notebooks from notebooks/: each source is executed once and written in English and Chinese.

    GENGAP_IMDB=imdb.npz python scripts/notebooks.py [reviews] [storms]

Studies are loaded from GENGAP_REVIEWS_STUDY and GENGAP_STORMS_STUDY where these hold saved ones, else trained.
"""

import os
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "notebooks"
LANGUAGES = {"en": "", "zh": ".zh"}
MOST_BYTES = 1_500_000


def executed(source: Path) -> Any:
    """Run the code of a source in a fresh kernel, in an empty folder, and return the notebook with its outputs."""
    notebook = jupytext.read(source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    os.environ.update(MPLBACKEND="module://matplotlib_inline.backend_inline", KERAS_BACKEND="torch")
    folder = ROOT / "demo" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def in_language(notebook: Any, language: str) -> Any:
    """Return the notebook with the text of one language, without what differs from run to run for no reason."""
    kept = deepcopy(notebook)
    kept.cells = [cell for cell in kept.cells if cell.metadata.get("lang", language) == language]
    for number, cell in enumerate(kept.cells):
        cell.metadata = {}
        cell.id = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    kept.metadata = {
        "kernelspec": kept.metadata["kernelspec"],
        "language_info": {"name": "python"},
    }
    return kept


def main() -> None:
    names = sys.argv[1:] or [path.stem for path in sorted((ROOT / "notebooks").glob("*.py"))]
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in names:
        notebook = executed(ROOT / "notebooks" / f"{name}.py")
        for language, suffix in LANGUAGES.items():
            path = TARGET / f"{name}{suffix}.ipynb"
            nbformat.write(in_language(notebook, language), path)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
            if path.stat().st_size > MOST_BYTES:
                raise SystemExit(
                    f"{path.name} is larger than {MOST_BYTES:,} bytes: draw less, or at a lower resolution."
                )


if __name__ == "__main__":
    main()
