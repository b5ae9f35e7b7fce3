"""The report beyond the browser: printed, as Markdown, and as tables and figures for LaTeX."""

import re
import shutil

import pytest
from matplotlib import pyplot as plt

from gengap.errors import MissingExtraError, StoreError
from gengap.reporting import findings
from gengap.reporting.markdown import to_markdown
from gengap.reporting.output import DEFAULT_NAMES, check_report, report_of_folder
from gengap.reporting.printing import find_browser

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def markdown(source):
    return to_markdown(source)


def test_markdown_has_every_section_finding_and_table(result, source, markdown):
    titles = [re.sub("<.*?>", "", one) for one in re.findall(r"<h2.*?>(.*?)</h2>", source)]
    assert [line[3:] for line in markdown.splitlines() if line.startswith("## ")] == titles
    for sentence in findings(result):
        assert f"**: {sentence}\n" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| dropout(0.5)+l2(0.01) |")]
    assert any("cannot say" in row or "better" in row or "worse" in row for row in rows)


def test_markdown_has_no_trace_of_markup_and_tables_are_rectangular(markdown):
    outside = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    assert not re.search(r"</?(td|th|span|p|div|svg|button|wbr)\b", outside)
    widths = [
        {row.replace(r"\|", "").count("|") for row in table.strip().splitlines()}
        for table in re.findall(r"(?:^\|.*\n)+", outside, re.MULTILINE)
    ]
    assert len(widths) >= 4
    assert all(len(width) == 1 for width in widths)


def test_a_name_with_a_bar_stays_in_its_cell():
    assert "| a\\|b |" in to_markdown("<table><tr><th>x</th></tr><tr><td>a|b</td></tr></table>")


def test_latex_tables_and_vector_figures_lie_in_one_folder(result, tmp_path):
    folder = tmp_path / "latex"
    check_report(folder, lang="en", form="latex")
    before = plt.get_fignums()
    report_of_folder(result, tmp_path, folder, lang="en", form="latex")
    assert plt.get_fignums() == before, "a notebook would show what was drawn for files"
    names = {path.name for path in folder.iterdir()}
    assert {"tables.tex", "scores.tex", "comparison.tex", "learning_curves.pdf", "comparison.svg"} <= names
    assert {"roc.pdf", "performance.svg", "attributes.pdf", "reliability_0.pdf"} <= names
    inputs = set(re.findall(r"^\\input\{(\w+)\}", (folder / "tables.tex").read_text(), re.MULTILINE))
    assert inputs == {name.removesuffix(".tex") for name in names if name.endswith(".tex")} - {"tables"}
    assert (folder / "comparison.tex").read_text().count(r"\\") == 1 + 2 * (len(result.variants) - 1)
    check_report(folder, lang="en", form="latex")  # its own folder may be written again
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "chapter.tex").write_text("precious")
    with pytest.raises(StoreError, match="files of somebody else"):
        check_report(tmp_path / "mine", lang="en", form="latex")


def test_without_a_browser_a_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("GENGAP_BROWSER", "no-such-browser")
    with pytest.raises(MissingExtraError, match=r"a PDF is printed by a browser .* install|brew|winget"):
        check_report(tmp_path / "report.pdf", lang="en", form="pdf")


def test_nothing_of_somebody_else_is_written_over(tmp_path):
    for form in ("html", "md"):
        (tmp_path / DEFAULT_NAMES[form]).write_text("mine")
        with pytest.raises(StoreError, match="is not a report of gengap"):
            check_report(tmp_path / DEFAULT_NAMES[form], lang="en", form=form)


def test_the_style_for_paper_shows_every_column_and_opens_details(source):
    paper = source[source.index("@media print") : source.index("</style>")]
    for rule in (".scroll { overflow: visible; }", "details::details-content { content-visibility: visible;",
                 "thead { display: table-header-group; }", "tr, li, figure"):  # fmt: skip
        assert rule in paper
    assert 'addEventListener("beforeprint"' in source


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_printed_report_has_few_pages(result, tmp_path):
    assert find_browser()
    report_of_folder(result, tmp_path, tmp_path / "report.pdf", lang="en", form="pdf")
    printed = (tmp_path / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert 1 < len(re.findall(rb"/Type\s*/Page\b", printed)) <= 10
