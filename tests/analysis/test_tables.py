import io
import math

import pytest
from rich.console import Console

from gengap.analysis.tables import Column, IntervalEstimate, Spread, Table

TABLE = Table(
    "Nets & scores",
    (Column("net", "net"), Column("loss", "log_loss", ".2f"), Column("d", "difference", ".1f"), Column("n", "n", ",d")),
    (
        ("l2(0.001)", Spread(0.254, 0.011), IntervalEstimate(-1.0, -2.0, 0.5), 17169),
        ("<b>", Spread(0.3, math.nan), IntervalEstimate(math.nan, math.nan, math.nan), None),
    ),
    ("Smaller is better.",),
)


def test_text_shows_title_cells_and_notes():
    lines = str(TABLE).splitlines()
    assert lines[0] == "Nets & scores"
    assert lines[3].split("|")[1].strip() == "0.25 ± 0.01"
    assert lines[3].split("|")[2].strip() == "-1.0 [-2.0, 0.5]"
    assert lines[3].split("|")[3].strip() == "17,169"
    assert lines[4].split("|")[1].strip() == "0.30"  # a single seed has no spread
    assert [cell.strip() for cell in lines[4].split("|")[2:]] == ["–", "–"]
    assert lines[-1] == "Smaller is better."
    assert repr(TABLE) == str(TABLE)


def test_rich_table_carries_title_and_notes():
    page = io.StringIO()
    Console(width=100, file=page).print(TABLE)
    text = page.getvalue()
    assert "Nets & scores" in text
    assert "Smaller is better." in text


def test_html_escapes():
    page = TABLE.to_html()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "Nets &amp; scores" in page
    assert page.count("<tr>") == 3
    assert TABLE._repr_html_() == page


def test_latex_escapes_and_has_a_row_each():
    text = TABLE.to_latex()
    assert r"log\_loss" in text
    assert r"0.25 $\pm$ 0.01" in text
    assert text.count(r"\\") == 3
    assert r"\begin{tabular}{lrrr}" in text


def test_dataframe_holds_numbers():
    frame = TABLE.to_dataframe()
    assert list(frame.columns) == ["net", "loss", "loss_sd", "d", "d_low", "d_high", "n"]
    assert frame["loss"].tolist() == [0.254, 0.3]
    assert frame["d_high"][0] == 0.5


def test_column_by_name():
    assert TABLE.column("n") == (17169, None)
    with pytest.raises(KeyError, match="the columns are net, loss"):
        TABLE.column("x")


def test_an_empty_table_keeps_its_columns():
    empty = Table("none", TABLE.columns, ())
    assert len(empty) == 0
    assert list(empty.to_dataframe().columns) == ["net", "loss", "d", "n"]
