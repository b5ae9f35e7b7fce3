"""Write docs/reference: every public name on one page of its room, read off the packages themselves."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import lazy_loader

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


@dataclass(frozen=True)
class Page:
    """A page of the reference.

    Attributes:
        title: Its heading.
        introduction: A sentence or two below it.
        rooms: Packages whose public names stand on it, under the shortest path that a user can write.
        first: Names that readers come for; the others follow in their order.
    """

    title: str
    introduction: str
    rooms: tuple[str, ...]
    first: tuple[str, ...] = ()


PAGES = {
    "study": Page(
        "Studies and results",
        "Declare, plan, run; what is left. `gg` is `import gengap as gg` throughout.",
        ("gengap.study", "gengap.results", "gengap.engine", "gengap.runners", "gengap.keras_models"),
        first=("gengap.Study", "gengap.Result", "gengap.load", "gengap.fit_many", "gengap.Plan"),
    ),
    "remedies": Page(
        "Remedies", "Functions from a compiled Keras model to a compiled Keras model.", ("gengap.remedies",)
    ),
    "analysis": Page(
        "Analysis",
        "Functions of a result; none of them needs Keras or torch.",
        ("gengap.analysis", "gengap.reporting"),
        first=(
            "gengap.compare",
            "gengap.diagnose",
            "gengap.recommend",
            "gengap.summarize",
            "gengap.audit",
            "gengap.report",
        ),
    ),
    "experiments": Page("Studies of studies", "How large, and how many cases?", ("gengap.experiments",)),
    "searching": Page(
        "Search",
        "Finding the strength, and what the choice is worth.",
        ("gengap.searching", "gengap.improving"),
        first=("gengap.improve", "gengap.search"),
    ),
    "shipping": Page(
        "Shipping", "What a study chose, as one ordinary Keras model with its card.", ("gengap.shipping",)
    ),
    "estimators": Page(
        "Estimators of scikit-learn", "Classifier and regressor that are fitted by a study.", ("gengap.estimators",)
    ),
    "tracking": Page("Trackers and tables", "A result in other tools' records.", ("gengap.tracking",)),
    "verification": Page(
        "Verification",
        "Scores and curves of forecasts; truth first. How far the intervals can be trusted is measured in\n"
        "[What the intervals cover](../coverage.md); the [gallery](../gallery.md) shows every figure.",
        ("gengap.verification",),
    ),
    "sampling": Page(
        "Uncertainty",
        "Predictive distributions and what they are worth.",
        ("gengap.sampling", "gengap.analysis.uncertainty"),
    ),
    "plots": Page(
        "Figures", "One display per figure: `.data` is what is drawn, `.plot(ax=)` draws it.", ("gengap.plots",)
    ),
    "datasets": Page("Data sets", "Each loader returns a `Dataset` of up to three splits.", ("gengap.datasets",)),
    "examples": Page(
        "Examples", "The tutorials retold; what `gengap demo` runs. `import gengap_examples`.", ("gengap_examples",)
    ),
    "errors": Page("Errors and warnings", "One tree; catch `GengapError` to catch them all.", ("gengap.errors",)),
}


def public_names() -> dict[str, Any]:
    """Return every public object by the shortest path under which a user finds it, in order."""
    found: dict[str, Any] = {}
    for package in ("gengap", *(f"gengap.{name}" for name in ("verification", "plots", "datasets", "errors"))):
        found |= dict(_names(importlib.import_module(package), package))
    for page in PAGES.values():
        for room in page.rooms:
            found |= dict(_names(importlib.import_module(room), room))
    paths: dict[int, str] = {}
    for path, value in found.items():
        paths.setdefault(id(value), path)
    return {path: found[path] for path in paths.values()}


def _names(module: ModuleType, package: str) -> Iterator[tuple[str, Any]]:
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    if stub.exists():
        _, _, names = lazy_loader.attach_stub(package, str(module.__file__))
    else:
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", "") == package
        ]
    for name in names:
        value = getattr(module, name)
        if not isinstance(value, ModuleType) and not name.startswith("_"):
            yield f"{package}.{name}", value


def room_of(path: str, value: Any) -> str:
    """Return the page that a name belongs on: by where it is defined, or for plain values by its path."""
    home = getattr(value, "__module__", None) or path
    if not str(home).startswith("gengap."):
        home = path
    return next(name for name, page in PAGES.items() if any(f"{home}.".startswith(f"{room}.") for room in page.rooms))


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    listed: dict[str, list[str]] = {name: [] for name in PAGES}
    for path, value in public_names().items():
        listed[room_of(path, value)].append(path)
    for name, page in PAGES.items():
        listed[name].sort(key=lambda path: page.first.index(path) if path in page.first else len(page.first))
    return {
        name: f"# {page.title}\n\n{page.introduction}\n\n" + "\n\n".join(f"::: {path}" for path in listed[name]) + "\n"
        for name, page in PAGES.items()
    }


def main() -> None:
    for name, text in pages().items():
        (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
