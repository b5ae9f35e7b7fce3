"""Tables in terminals of any width: nothing runs off the edge, and what is left out is named."""

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from gengap.analysis.tables import AS_UNCERTAIN, P_VALUE, Column, IntervalEstimate, Spread, Table
from gengap.analysis.text_tables import terminal_width, wrapped

COLUMNS = (
    Column("variant", "variant"),
    Column("verdict", "verdict, given this training set", spare=0),
    Column("difference", "difference", AS_UNCERTAIN, spare=0),
    Column("p", "p", P_VALUE, spare=2),
    Column("effect", "effect size", ".2f", spare=3),
    Column("warnings", "warnings"),
)
ROWS = (
    ("spatial_dropout(0.3)+dropout(0.5)", "cannot say, needs 278 seeds and 6,800 cases",
     IntervalEstimate(-0.00234, -0.0213, 0.0161), 0.00000001, -0.31, "differences of seeds may be skewed"),
    ("基线和另一个很长的名字", "better", IntervalEstimate(-0.5, -0.6, -0.4), 0.034, 1.2, ""),
)  # fmt: skip
TABLE = Table(
    "A title that says at length what the rows are, on which cases, and what is claimed",
    COLUMNS,
    ROWS,
    ("GG101 baseline: a note that is long enough to take several lines in a narrow terminal, as notes do.",),
)


@pytest.fixture
def terminal(monkeypatch):
    return lambda width: monkeypatch.setenv("COLUMNS", str(width))


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(terminal, width):
    terminal(width)
    lines = str(TABLE).splitlines()
    assert max(map(cell_len, lines)) <= width
    for part in ("-0.002 [-0.021, 0.016]", "-0.50 [-0.60, -0.40]"):  # a number is never cut or wrapped
        assert any(part in line for line in lines)


def test_a_narrow_terminal_keeps_the_essential_and_names_the_rest(terminal):
    terminal(80)
    text = str(TABLE)
    assert "Left out for lack of space: p; effect size; warnings." in " ".join(text.split())
    assert re.search(r"spatial_dropout\(0\.3\)\+ +\|", text)  # a name ends its line where its parts meet
    terminal(200)
    assert "Left out" not in str(TABLE)
    assert "< 0.0001" in str(TABLE)


def test_a_pipe_gets_every_column_and_one_line_a_row(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert terminal_width() is None
    lines = str(TABLE).splitlines()
    assert len(lines) == 1 + 2 + len(ROWS) + 1
    assert "differences of seeds may be skewed" in lines[3]


def test_verdicts_have_a_colour_in_terminals_alone():
    def printed(**settings):
        page = io.StringIO()
        Console(file=page, width=120, **settings).print(TABLE)
        return page.getvalue()

    assert "\x1b[33mcannot say" in printed(force_terminal=True, color_system="standard")
    assert "\x1b" not in printed()
    assert "\x1b" not in str(TABLE)


def test_one_minus_in_the_terminal_and_a_true_one_in_print():
    assert "−" not in str(TABLE)
    assert "−0.50 [−0.60, −0.40]" in TABLE.to_html()
    assert "$-$0.50 [$-$0.60, $-$0.40]" in TABLE.to_latex()


def test_digits_follow_the_uncertainty():
    show = Column("x", "x", AS_UNCERTAIN).show
    assert show(IntervalEstimate(0.0002516, -0.000558, 0.001061)) == "0.00025 [−0.00056, 0.00106]"
    assert show(Spread(12.61534, 0.0883)) == "12.615 ± 0.088"


def test_prose_goes_on_set_in():
    assert wrapped("- one two three", 9) == "- one two\n  three"
    assert wrapped("as it is", None) == "as it is"
