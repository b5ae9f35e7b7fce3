"""Two names never become one, and every name that is accepted can be trained, stored, printed and drawn."""

import io
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap import plots
from gengap.datasets.checks import _plain_groups
from gengap.errors import DataError, ModelError
from gengap.naming import check_names
from gengap.plots.style import literal
from gengap.results import Result

ALIKE = [
    (16, "16"),
    (np.int64(3), "3"),
    ("net", " net"),
    ("net", "net "),
    ("a b", "a  b"),
    ("é", "e\u0301"),
    ("Å", "\u212b"),
]
BAD = {
    "": "must not be empty",
    "  ": "must not be empty",
    "a\nb": r"'a\\nb' holds U\+000A",
    "a\tb": r"U\+0009",
    "nul\0": r"U\+0000",
    "\x1b[31mred": r"U\+001B",
    "\u202eabc": r"U\+202E",
    "zero\u200bwidth": r"U\+200B",
    "soft\u00adhyphen": r"U\+00AD",
    "\ud800": r"U\+D800",
    "line\u2028": r"U\+2028",
    None: "must be text; received None of type NoneType",
    1.5: "must be text; received 1.5 of type float",
    True: "must be text; received True of type bool",
    ("a", 1): "of type tuple",
    b"net": "of type bytes",
}
GOOD = [
    "$x^{$", "a$b$c", "_hidden", "\\alpha", "[bold]x[/bold]", "a/b", "../up", "<script>alert(1)</script>", "100 %",
    "中文", "عربى", "naïve café", "{brace}", "'quoted'", '"twice"', "a&b", "=1+1", "nan", "None", "x" * 300, "#1", "~^",
]  # fmt: skip


def model(units=1):
    made = keras.Sequential([keras.Input((3,)), layers.Dense(units), layers.Dense(1, "sigmoid")])
    made.compile("sgd", "binary_crossentropy")
    return made


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=map(ascii, ALIKE))
def test_two_names_that_look_alike_are_refused_at_every_door(one, other):
    with pytest.raises(ModelError, match=r"Names of models must differ; .* would both be shown as"):
        gg.Study({one: model(), other: model(2)}, seeds=1)
    with pytest.raises(DataError, match="Names of variants must differ"):
        Result.from_predictions([0, 1], {one: [0.2, 0.7], other: [0.1, 0.4]}, task="binary", score="log_loss")
    with pytest.raises(DataError, match="Names of variants must differ"):
        Result.from_histories({one: [{"loss": [1.0]}], other: [{"loss": [2.0]}]}, task="regression")
    with pytest.raises(DataError, match="Names of forecasts must differ"):
        plots.AttributesDisplay.from_predictions([0, 1, 1], {one: [0.2, 0.7, 0.7], other: [0.1, 0.4, 0.3]})


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_what_cannot_be_a_name_is_said(name):
    with pytest.raises(ModelError, match=BAD[name]) as caught:
        gg.Study({"net": model(), name: model(2)}, seeds=1)
    assert str(caught.value).isprintable()


def test_numbers_and_different_names_are_kept():
    assert gg.Study({16: model(), 32: model(2), "Net": model(), "net": model()}, seeds=1).runs()[1].variant == "32"
    assert check_names([*GOOD, *range(3)], "things") == (*GOOD, "0", "1", "2")


def test_results_from_elsewhere_take_numbers_as_names():
    told = Result.from_histories(
        {8: [{"loss": [2.0, 1.0]}], 16: [{"loss": [3.0, 2.0]}]}, task="regression", models={16: model()}
    )
    assert told.variants == ("8", "16")
    assert told.manifest["variants"]["16"]["parameters"] == 6


def test_every_accepted_name_is_drawn_as_it_is(tmp_path):
    """Legends, ticks, titles and tables show each name, dollars and all, in every format."""
    y = np.array([0, 1, 1, 0, 1, 0, 1, 1])
    rng = np.random.default_rng(0)
    displays = (plots.AttributesDisplay, plots.RocDisplay, plots.PerformanceDisplay)
    for turn, start in enumerate(range(0, len(GOOD), 6)):
        names, display = GOOD[start : start + 6], displays[turn % 3]  # in turn: one function writes all their legends
        forecasts = {name: rng.uniform(0.05, 0.95, len(y)) for name in names}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font|Matplotlib currently|No font with")
            ax = display.from_predictions(y, forecasts).plot()
            for kind in ("png", "svg", "pdf"):
                ax.figure.savefig(io.BytesIO(), format=kind)
            drawn = {name: literal(name) for name in names}
        shown = [text.get_text() for text in (ax.get_legend() or ax.figure.legends[0]).get_texts()]
        for name, text in drawn.items():
            if len(name) < 30:
                assert any(one.startswith(text) for one in shown), (display, name)
        plt.close("all")


@pytest.mark.parametrize("name", ["$x^{$", "_hidden"])
def test_a_study_with_a_wild_name_ends_in_a_report(tmp_path, name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    study = gg.Study({"plain": model(), name: model(2)}, seeds=2, storage=tmp_path / "s")
    result = study.run(x[:30], y[:30], validation_data=(x[30:], y[30:]), epochs=2, progress=False)
    result.save(tmp_path / "saved")
    assert Result.load(tmp_path / "saved").variants == ("plain", name)
    assert name in str(gg.compare(result))
    page = gg.report(result, tmp_path / "report.html").read_text()
    assert name in page
    curves = plots.LearningCurvesDisplay.from_result(result)
    for figure in (curves.figure(), curves.plot_pairs()):
        figure.savefig(tmp_path / "curves.svg")
    plt.close("all")


def test_groups_that_a_file_would_merge_are_refused():
    with pytest.raises(DataError, match="mix text and numbers"):
        _plain_groups([1, "1"], "test")
    with pytest.raises(DataError, match="mix text and numbers"):
        _plain_groups(np.array([1, "1"], object), "test")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (np.array([b"a", b"b"]), "U"),
        (np.array(["2024-01-01", "2024-01-02"], "datetime64[ns]"), "U"),
        (np.array([1, 2], object), "i"),
        (np.array(["a", "bc"], object), "U"),
        ([1, 2], "i"),
    ],
)
def test_groups_are_kept_in_a_store_as_they_are(tmp_path, given, kind):
    plain = _plain_groups(given, "training")
    assert plain.dtype.kind == kind
    assert len(np.unique(plain)) == 2
    x, y = np.zeros((2, 3), "float32"), np.array([0, 1])
    study = gg.Study(model(), seeds=1, storage=tmp_path / "s")
    held_out = gg.datasets.Split(x + 1, y, groups=np.asarray(given))
    result = study.run(x, y, validation_data=held_out, epochs=1, progress=False)
    np.testing.assert_array_equal(result.validation["group"].values, plain)
    result.to_netcdf(tmp_path / "r.nc")
    np.testing.assert_array_equal(Result.from_netcdf(tmp_path / "r.nc").validation["group"].values, plain)
