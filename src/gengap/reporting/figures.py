"""Displays as inline SVG: text stays text, colours follow the page's light and dark."""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from gengap.plots.style import COLOURS, GRID, INK, REFERENCE, literal, style
from gengap.reporting.languages import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREYS = {INK: "ink", REFERENCE: "quiet", GRID: "line", "#ffffff": "paper"}
_LONGEST_NAME = 36
_ANONYMOUS: dict[str, str | None] = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def inline_svg(
    plot: Callable[["Axes"], object],
    *,
    name: str,
    label: str,
    language: Language,
    names: Sequence[str] = (),
    variants: Mapping[int, int] | None = None,
    figsize: tuple[float, float] = (4.1, 4.1),
) -> Markup:
    """Draw on new axes and return the figure as an `<svg>` element.

    Args:
        plot: Draws on the axes that it is given, such as a Display's `plot`.
        name: Name that is unique on the page: identifiers inside the figure begin with it.
        label: What the figure shows, for those who cannot see it.
        language: Language of the page; the Displays' own English words are translated where it knows them.
        names: Names of the variants, which may be long: the figure cuts them, the page shows them in full.
        variants: Which variant of the result the figure's first, second ... colour stands for, so that a variant has
            one colour on the whole page; None where colours do not stand for variants.
        figsize: Width and height in inches.

    Returns:
        The element; the same data give the same text.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with style(), mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # the browser has the letters that Matplotlib's own font lacks
        warnings.filterwarnings("ignore", message="Glyph .* missing from font|No font with Chinese")
        figure = Figure(figsize=figsize)
        axes = figure.subplots()
        plot(axes)
        _rewrite(figure, language, names)
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata=_ANONYMOUS)
    return Markup(_embed(buffer.getvalue(), name, label, _roles(variants or {})))  # noqa: S704  Matplotlib escapes its texts; the label is escaped


def _rewrite(figure: object, language: Language, names: Sequence[str]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    assert isinstance(figure, Figure)  # noqa: S101  for the type checker
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_text():
            said = text.get_text()
            for name in names:
                said = said.replace(literal(name), literal(shortened(name)))
            text.set_text(language.in_figure(said))


def shortened(name: str) -> str:
    """Cut a long name in its middle: its ends tell variants apart.

    Example:
        >>> shortened("spatial_dropout(0.3)+dropout(0.5)+l2(0.01)")
        'spatial_dropout(0.3)+dro…5)+l2(0.01)'
    """
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 12]}…{name[-11:]}"


def _embed(svg: str, name: str, label: str, roles: Mapping[str, str]) -> str:
    """Make a stand-alone SVG file fit to stand in a page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", body)
    body = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda found: _shortened(found[0]), body)
    body = re.sub(r"#[0-9a-fA-F]{6}\b", lambda found: roles.get(found[0].lower(), found[0]), body)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", body)
    size = re.search(r'viewBox="([\d. -]+)"', body)
    assert size is not None  # noqa: S101  Matplotlib always writes one
    head = f'<svg class="diagram" role="img" aria-label="{Markup.escape(label)}" viewBox="{size[1]}">'
    return head + body[body.index(">") + 1 :]


def _shortened(coordinates: str) -> str:
    """A hundredth of a point is finer than any screen."""
    return re.sub(r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", coordinates)


def _roles(variants: Mapping[int, int]) -> dict[str, str]:
    """Name the page's colour for each colour of the figure; `variants` moves those of variants."""
    roles = _GREYS | {colour: f"c{variants.get(at, at) % len(COLOURS)}" for at, colour in enumerate(COLOURS)}
    return {colour.lower(): f"var(--{role})" for colour, role in roles.items()}
