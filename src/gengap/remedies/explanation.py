"""What a remedy did to a model, layer by layer, and what it left alone and why."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Change:
    """One line of an explanation.

    Attributes:
        remedy: Canonical form of the remedy.
        layer: Path of the layer (`"encoder/dense"`), or what else of the model or variant it is about.
        change: What is different now; empty where nothing is.
        reason: Why the layer was left alone, or a weight could not be carried; empty where all went through.
    """

    remedy: str
    layer: str
    change: str = ""
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Explanation:
    """The changes of a remedy, in the order of the model's graph; prints as a table.

    Attributes:
        changes: One line each.
        parameters: Number of trainable parameters before and after.
    """

    changes: Sequence[Change] = ()
    parameters: tuple[int, int] = field(default=(0, 0))

    def __str__(self) -> str:
        rows = [("remedy", "layer", "change"), *((c.remedy, c.layer, _told(c)) for c in self.changes)]
        widths = [max(len(row[column]) for row in rows) for column in range(2)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c}" for a, b, c in rows]
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join([*lines, self._count()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "<tr><th>remedy</th><th>layer</th><th>change</th></tr>"
        cells = ((c.remedy, c.layer, _told(c)) for c in self.changes)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(x)}</td>" for x in row) + "</tr>" for row in cells)
        return f"<table><caption>{self._count()}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"

    def _count(self) -> str:
        before, after = self.parameters
        return (
            f"trainable parameters: {before:,} -> {after:,}" if before != after else f"trainable parameters: {after:,}"
        )


def grouped(changes: Iterable[Change]) -> str:
    """Return reasons with the layers that they are about, each reason once."""
    layers: dict[str, list[str]] = {}
    for change in changes:
        layers.setdefault(change.reason, []).append(change.layer)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in layers.items())


def _told(change: Change) -> str:
    if not change.change:
        return f"left alone: {change.reason}"
    return f"{change.change} ({change.reason})" if change.reason else change.change
