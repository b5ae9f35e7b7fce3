"""The page in a real browser, opened from disk with the network off."""

import json
from pathlib import Path

import pytest

from gengap.analysis.diagnosis.stopping import early_stopping

pytestmark = pytest.mark.browser


def when_there_is_time(cases):
    return [pytest.param(*case, marks=pytest.mark.slow) for case in cases]


A4_WITHOUT_MARGINS = 710
"""CSS pixels across 188 mm."""


def show(browser, path, *, width=1280, scheme="light", medium=""):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"media": medium, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(path.as_uri())
    # the curves are drawn when their place is measured: wait for that frame
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


def run(browser, script, *arguments):
    return browser.execute_script(f"return {script}", *arguments)


def click(browser, css):
    browser.execute_script("document.querySelector(arguments[0]).click()", css)


def drawn(browser):
    return run(browser, "[...document.querySelectorAll('.chart g[data-variant]')].map(g => g.dataset)")


def readout(browser):
    rows = "[...document.querySelectorAll('.readout tbody tr')]"
    return run(browser, f"{rows}.map(row => [...row.cells].map(cell => cell.innerText.trim()))")


@pytest.fixture
def opened(chromium, files):
    show(chromium, files["en"])
    return chromium


@pytest.mark.parametrize("name", ["en", "zh", "hostile"])
def test_no_error_reaches_the_console(chromium, files, name):
    chromium.get_log("browser")
    show(chromium, files[name])
    assert chromium.get_log("browser") == []


def test_the_network_is_off(opened):
    fetched = "fetch('https://example.org').then(() => arguments[0]('answered'), () => arguments[0]('refused'))"
    assert opened.execute_async_script(fetched) == "refused"
    opened.get_log("browser")


def test_figures_are_there(opened):
    boxes = run(opened, "[...document.querySelectorAll('svg.diagram')].map(s => s.getBoundingClientRect().toJSON())")
    assert len(boxes) == 6  # ROC, performance, attributes, two of reliability, sparsity
    assert all(box["width"] > 200 and box["height"] > 150 for box in boxes)
    labels = run(opened, "[...document.querySelectorAll('svg.diagram')].map(s => s.getAttribute('aria-label'))")
    assert all(labels)
    assert run(opened, "document.querySelectorAll('.chart path.mean').length") == 6  # held-out and training


def test_variants_are_chosen(opened):
    assert [one["variant"] for one in drawn(opened)] == ["0", "1", "2"] * 2
    click(opened, "[name=variant][value='1']")
    assert [one["variant"] for one in drawn(opened)] == ["0", "2"] * 2
    click(opened, "[name=split][value=heldout]")
    assert {one["split"] for one in drawn(opened)} == {"heldout"}
    click(opened, "[name=split][value=both]")
    assert [(one["split"], one["variant"]) for one in drawn(opened)] == [
        ("training", "0"), ("training", "2"), ("heldout", "0"), ("heldout", "2"),
    ]  # fmt: skip


def test_quantities_and_reading_are_chosen(opened, result):
    accuracy = result.history["val_accuracy"].sel(variant="baseline")
    choose = "const s = document.querySelector('[name=quantity]'); s.value = arguments[0];"
    options = run(opened, "[...document.querySelectorAll('[name=quantity] option')].map(o => o.text)")
    change = "s.dispatchEvent(new Event('change', {bubbles: true}))"
    opened.execute_script(choose + change, str(options.index("accuracy")))
    click(opened, "[name=read][value=last]")
    value = float(readout(opened)[0][2].split()[0])
    assert value == pytest.approx(float(accuracy.isel(epoch=-1).mean()), abs=2e-3)
    assert readout(opened)[0][1] == "8"


def test_seeds_can_be_hidden(opened):
    count = "document.querySelectorAll('.chart path.seed').length"
    assert run(opened, count) == 36
    click(opened, "[name=seeds]")
    assert run(opened, count) == 0


def test_the_pointer_reads_an_epoch_and_gives_it_back(opened, result):
    before = readout(opened)
    move = """
      const box = document.querySelector('.chart').getBoundingClientRect();
      const at = (share) => new PointerEvent('pointermove',
        {bubbles: true, clientX: box.left + 52 + share * (box.width - 66), clientY: box.top + 50});
      document.querySelector('.chart').dispatchEvent(at(arguments[0]));"""
    opened.execute_script(move, 0.0)
    first = result.history["val_score"].sel(variant="baseline", epoch=1)
    assert readout(opened)[0][1] == "1"
    assert float(readout(opened)[0][2].split()[0]) == pytest.approx(float(first.mean()), abs=2e-3)
    assert run(opened, "document.querySelectorAll('.chart .cursor').length") == 1
    opened.execute_script(move, 1.0)
    assert readout(opened)[0][1] == "8"
    opened.execute_script("document.querySelector('.chart').dispatchEvent(new PointerEvent('pointerleave'))")
    assert readout(opened) == before


def test_keys_reach_the_epochs(opened):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element(By.CSS_SELECTOR, "[name=epoch]")
    slider.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert readout(opened)[0][1] == "6"


def test_tables_sort_by_number_and_by_name(opened, result):
    column = "[...document.querySelectorAll('#scores tbody tr')].map(row => row.cells[arguments[0]].dataset.value)"
    head = "[...document.querySelectorAll('#scores thead th')]"
    at = run(opened, f"{head}.findIndex(th => th.innerText.startsWith('Test log loss'))")
    press = f"{head}[arguments[0]].querySelector('button').click()"
    opened.execute_script(press, at)
    values = [float(value) for value in run(opened, column, at)]
    assert values == sorted(values)
    assert run(opened, f"{head}[arguments[0]].ariaSort", at) == "ascending"
    opened.execute_script(press, at)
    assert [float(value) for value in run(opened, column, at)] == values[::-1]
    opened.execute_script(press, 0)
    names = run(opened, "[...document.querySelectorAll('#scores tbody th')].map(th => th.textContent)")
    assert names == sorted(result.variants * 2)


def stopping_table(browser):
    rows = "[...document.querySelectorAll('#stopping tbody tr')]"
    return run(browser, f"{rows}.map(row => [...row.cells].map(cell => [cell.innerText.trim(), cell.dataset.value]))")


@pytest.mark.parametrize(
    ("patience", "min_delta"), [(1, 0), (3, 0.004), (8, 0), *when_there_is_time([(2, 0), (2, 0.05)])]
)
def test_early_stopping_is_computed_for_any_rule(opened, result, patience, min_delta):
    fill = "const i = document.querySelector(`#stopping [name=${arguments[0]}]`); i.value = arguments[1];"
    for name, value in {"patience": patience, "min_delta": min_delta}.items():
        opened.execute_script(fill + "i.dispatchEvent(new Event('input', {bubbles: true}))", name, str(value))
    expected = early_stopping(result, patience=patience, min_delta=min_delta).to_dataframe()
    rows = stopping_table(opened)
    assert [row[0][0] for row in rows] == list(result.variants)
    for row, (_, truth) in zip(rows, expected.iterrows(), strict=True):
        last, _, stopped, stops, saved = (float(value) for _, value in row[1:])
        assert [last, stopped] == pytest.approx([truth["score_last"], truth["score"]], abs=1e-6)
        assert [stops, saved] == pytest.approx([truth["stopped"], 100 * truth["saved"]])
    lowest = run(opened, "document.querySelector('#stopping .lowest').innerText")
    assert f"{expected['variant'][expected['score'].argmin()]} with this stopping rule" in lowest


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_the_theme_follows_the_system_until_it_is_chosen(chromium, files, scheme, other):
    show(chromium, files["en"], scheme=scheme)
    colour = "getComputedStyle(document.body).backgroundColor"
    before = run(chromium, colour)
    assert run(chromium, "document.getElementById('theme').textContent").lower() == other
    click(chromium, "#theme")
    assert run(chromium, "getComputedStyle(document.documentElement).colorScheme") == other
    assert run(chromium, colour) != before


def test_hostile_names_are_shown_and_do_nothing(chromium, files, hostile_name):
    show(chromium, files["hostile"])
    shown = "[...document.querySelectorAll('#comparison tbody th, .readout tbody th')].map(th => th.textContent.trim())"
    assert run(chromium, shown) == [hostile_name, "baseline", hostile_name]
    assert run(chromium, "document.querySelectorAll('script').length") == 3
    assert hostile_name in run(chromium, "document.querySelector('#verification').textContent")


@pytest.mark.parametrize(
    ("name", "width"),
    [("en", 390), ("zh", 1280), ("hostile", 390), *when_there_is_time([("en", 1280), ("zh", 390), ("hostile", 1280)])],
)
def test_nothing_sticks_out_of_the_page(chromium, files, name, width):
    show(chromium, files[name], width=width)
    assert run(chromium, "document.documentElement.scrollWidth") <= width
    cut = """[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre, details, .hidden, svg') &&
        e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))"""
    assert run(chromium, cut) == []


@pytest.mark.parametrize("name", ["en", "zh"])
def test_the_first_screen_holds_words_and_figure_side_by_side(chromium, files, name):
    show(chromium, files[name], width=1440)
    edges = "(e => [e.left, e.right, e.bottom])(document.querySelector(arguments[0]).getBoundingClientRect())"
    words, figure = (run(chromium, edges, f"#decision .{one}") for one in ("decision", "answer"))
    assert words[1] < figure[0]
    assert max(words[2], figure[2]) <= 900
    show(chromium, files[name], width=390)
    below = "document.querySelector('#decision .answer').getBoundingClientRect().top"
    assert run(chromium, below) >= run(chromium, edges, "#decision .decision")[2]


@pytest.mark.parametrize(
    ("name", "width"), [("en", 1280), ("zh", 390), *when_there_is_time([("en", 390), ("zh", 1280)])]
)
def test_no_table_is_cut(chromium, files, name, width):
    show(chromium, files[name], width=width)
    wider = """[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)
        .map(e => e.closest('section').id)"""
    assert run(chromium, wider) == []


@pytest.mark.parametrize("name", ["en", "zh", "hostile"])
def test_paper_shows_all_of_every_table_and_what_is_folded(chromium, files, name):
    show(chromium, files[name], width=A4_WITHOUT_MARGINS, scheme="dark", medium="print")
    cut = """[...document.querySelectorAll('th, td')].filter(e => e.offsetParent &&
        (e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1))
        .map(e => [e.closest('section').id, e.textContent.trim()])"""
    assert run(chromium, cut) == []
    assert run(chromium, "getComputedStyle(document.documentElement).colorScheme") == "light"
    chromium.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert run(chromium, "document.querySelectorAll('details:not([open])').length") == 0
    assert run(chromium, "document.querySelectorAll('details[open]').length") > 0
    chromium.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert run(chromium, "document.querySelectorAll('details[open]').length") == 0


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [
        ("en", 1280, "light"),
        ("zh", 390, "dark"),
        pytest.param("en", 1280, "dark", marks=pytest.mark.slow),
        pytest.param("hostile", 390, "light", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_serious(chromium, files, name, width, scheme):
    """Both schemes, widths and languages always, in two pages; more pages when there is time."""
    package = pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    show(chromium, files[name], width=width, scheme=scheme)
    source = (Path(package.__file__).parent / "axe.min.js").read_text()
    # the page's own policy lets no other script in, so axe comes through the debugger
    chromium.execute_cdp_cmd("Runtime.evaluate", {"expression": source})
    found = chromium.execute_async_script("axe.run().then(arguments[0])")
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == [], json.dumps(serious, indent=1)
    assert len(found["passes"]) > 15
