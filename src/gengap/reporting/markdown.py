"""The page as Markdown: the same words and tables, for an issue, a wiki or a chat; figures stay on the page."""

import re
from html.parser import HTMLParser

from gengap.analysis.numbers import without_tags

_SILENT = {"style", "script", "svg", "form", "nav", "button", "select", "noscript", "title", "label"}
"""What a page has for the eye and the hand alone."""
_VOID = {"meta", "input", "br", "wbr", "hr", "img", "link"}
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 5)} | {"summary": "####"}
_BLOCKS = {"p", "li", "dt", "dd", "caption", "figcaption", *_HEADINGS}


def to_markdown(page: str) -> str:
    """Return a page of the report as Markdown.

    Args:
        page: What `gengap.reporting.render_report` returns.

    Example:
        >>> print(to_markdown("<h2>Scores</h2><p>Of <b>all</b> seeds.</p>"))
        ## Scores
        <BLANKLINE>
        Of **all** seeds.
        <BLANKLINE>
    """
    reader = _Reader()
    reader.feed(page)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(reader.lines)).strip() + "\n"


class _Reader(HTMLParser):
    """Walks the page's own elements; it need not know any other page's."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._said = ""
        self._silent: list[str] = []
        self._rows: list[list[str]] = []
        self._term = self._tone = ""
        self._pre = self._code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        look = dict(attrs).get("class")
        if (self._silent and tag == self._silent[-1]) or (self._is_unheard(tag, look) and not self._silent):
            self._silent.append(tag)
        if self._silent:
            return
        if tag in _BLOCKS or tag in {"th", "td"}:
            self._said = ""
        elif tag == "table":
            self._rows = [[]]
        elif tag == "tr":
            self._rows.append([])
        elif tag == "pre":
            self._pre, self._said = True, ""
        elif tag in {"b", "code"} and not self._pre:
            self._said += "**" if tag == "b" else "`"
            self._code = tag == "code"
        elif tag == "span" and look == "tone":
            self._tone = "**"
            self._said += self._tone

    def _is_unheard(self, tag: str, look: str | None) -> bool:
        sorts = tag == "button" and bool(self._rows)  # the head of a column is a button
        return not sorts and (tag in _SILENT or look in {"skip", "note hint", "slider", "readout cards", "answer"})

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._said += data if self._pre or self._code else without_tags(data)

    def handle_endtag(self, tag: str) -> None:
        if self._silent:
            if tag == self._silent[-1]:
                self._silent.pop()
            return
        if tag == "span" and self._tone:
            self._said, self._tone = f"{self._said}**: ", ""
        elif tag == "pre":
            self.lines += ["", "```text", self._said.strip("\n"), "```", ""]
            self._pre = False
        elif tag in {"b", "code"} and not self._pre:
            self._said += "**" if tag == "b" else "`"
            self._code = False
        elif tag in {"th", "td"}:
            self._rows[-1].append(_one_line(self._said).replace("|", r"\|"))
        elif tag == "table":
            self.lines += ["", *_table([row for row in self._rows if row]), ""]
            self._rows = []
        elif tag in _BLOCKS:
            self._end_block(tag)

    def _end_block(self, tag: str) -> None:
        said, self._said = _one_line(self._said), ""
        if not said:
            return
        if tag == "dt":
            self._term = said
        elif tag == "dd":
            self.lines.append(f"- **{self._term}**: {said}")
        elif tag == "li":
            self.lines.append(f"- {said}")
        else:
            self.lines += ["", f"{_HEADINGS[tag]} {said}" if tag in _HEADINGS else said, ""]


def _one_line(said: str) -> str:
    return re.sub(r"[ \t\n]+", " ", said.replace("\u00a0", " ")).strip()


def _table(rows: list[list[str]]) -> list[str]:
    """A table with a rule below its head, without columns of pictures; a row of one cell is a heading within it."""
    if not rows:
        return []
    width = len(rows[0])
    told = [at for at in range(width) if any(len(row) == width and row[at] for row in rows[1:]) or len(rows) == 1]
    head, *body = ([row[at] for at in told] if len(row) == width else [f"**{row[0]}**"] for row in rows)
    lines = [*[head], ["---"] * len(told), *(row + [""] * (len(told) - len(row)) for row in body)]
    return [f"| {' | '.join(line)} |" for line in lines]
