"""The shared look: contrast, restoration of settings, axes."""

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from gengap.plots import style as look


def luminance(colour):
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], channels))


def test_settings_are_restored_even_after_an_error():
    before = dict(mpl.rcParams)
    with pytest.raises(RuntimeError, match="stop"), look.style():
        raise RuntimeError("stop")
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("colour", [look.INK, look.REFERENCE])
def test_text_colours_reach_the_contrast_of_wcag_aa(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_no_two_of_49_variants_look_alike_without_colour_or_with():
    seen = [look.appearance(i, marker=True) for i in range(49)]
    assert len({(one["color"], one["linestyle"]) for one in seen}) == 49
    assert len({(one["color"], one["marker"]) for one in seen}) == 49


def test_long_names_are_cut_but_never_made_alike():
    names = [f"spatial_dropout(0.{k})+dropout(0.5)+l2(0.00{k})+width(0.25)" for k in range(12)]
    short = look.shortened([*names, "baseline"])
    assert len(set(short.values())) == 13
    assert short["baseline"] == "baseline"
    assert short[names[3]] == "spatial_dropout(0.3)+d…width(0.25)"
    inner = [f"spatial_dropout(0.3)+dropout(0.{k})+gaussian_noise(0.1)" for k in range(2)]
    assert list(look.shortened(inner).values()) == ["…+dropout(0.0)+…", "…+dropout(0.1)+…"]
    stubborn = ["a" * 24 + "1" + "b" * 20, "a" * 24 + "2" + "b" * 20]
    assert list(look.shortened(stubborn).values()) == stubborn


def test_every_variant_of_a_cycle_differs_in_colour_style_and_marker():
    looks = [look.appearance(i, marker=True) for i in range(7)]
    for key in ("color", "linestyle", "marker"):
        assert len({look_[key] for look_ in looks}) == 7


def test_probability_axes_are_square_and_complete():
    with look.style():
        ax = look.axes_for(None)
        look.square_probability_axes(ax, xlabel="a", ylabel="b")
    assert ax.get_xlim() == ax.get_ylim() == (0.0, 1.0)
    assert ax.get_aspect() == 1.0
    assert list(ax.get_xticks()) == list(ax.get_yticks())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    assert look.axes_for(ax) is ax


@pytest.mark.parametrize("axis", ["x", "y"])
def test_epochs_are_whole_numbers(axis):
    with look.style():
        ax = look.axes_for(None)
        ax.plot([1, 2, 3], [1, 2, 3])
        look.epoch_axis(ax, axis=axis)
    ticks = ax.get_xticks() if axis == "x" else ax.get_yticks()
    assert list(ticks) == [1, 2, 3]  # there is no epoch 0


@pytest.mark.parametrize("installed", [(), ("WenQuanYi Micro Hei",)])
def test_letters_that_no_font_has_are_told_once_and_what_to_install(monkeypatch, installed):
    monkeypatch.setattr("gengap.plots.fonts.fonts_for_all_letters", lambda: installed)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert look.literal("基线") == "基线"
        look.literal("baseline")
    assert len(told) == (0 if installed else 1)
    assert not told or "sudo apt install fonts-noto-cjk" in str(told[0].message)


def test_fonts_with_more_letters_stand_behind_the_users_own(monkeypatch):
    monkeypatch.setattr(look, "fonts_for_all_letters", lambda: ("WenQuanYi Micro Hei",))
    with look.style():
        assert mpl.rcParams["font.family"] == ["sans-serif", "WenQuanYi Micro Hei"]


def test_a_band_covers_its_interval():
    with look.style():
        ax = look.axes_for(None)
        look.band(ax, [1, 2], [0.1, 0.2], [0.3, 0.5], color=look.COLOURS[0])
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 0.1
    assert corners[:, 1].max() == 0.5
