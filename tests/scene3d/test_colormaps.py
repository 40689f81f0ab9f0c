from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.scene3d import colormaps


def _lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L* of sRGB."""
    linear = np.where(rgb <= 10, rgb / 255 / 12.92, ((rgb / 255 + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)


@pytest.mark.parametrize("name", ["viridis", "cividis"])
def test_published_maps_are_met_within_two_percent(name: str) -> None:
    published = 255 * np.array(mpl.colormaps[name].colors)
    assert np.abs(colormaps.table(name) - published).max() < 5


@pytest.mark.parametrize("name", ["viridis", "cividis", "gray"])
def test_sequential_maps_get_lighter_all_along(name: str) -> None:
    assert (np.diff(_lightness(colormaps.table(name))[::8]) > 0).all()


def test_the_diverging_map_is_symmetric_in_lightness_about_its_middle() -> None:
    lightness = _lightness(colormaps.table("diverging"))
    assert np.abs(lightness - lightness[::-1]).max() < 6
    assert lightness.argmax() in (126, 127, 128, 129)


def test_values_take_the_colours_between_their_limits() -> None:
    values = np.array([[-5.0, 0.0, 5.0, 10.0, 99.0, np.nan]])
    rgb = colormaps.colorize(values, "gray", 0.0, 10.0)
    assert rgb.shape == (1, 6, 3)
    assert rgb[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_integers_and_an_empty_range_are_coloured() -> None:
    assert colormaps.colorize(np.array([[0, 65535]], np.uint16), "gray", 0, 65535)[0, :, 2].tolist() == [0, 255]
    assert colormaps.colorize(np.ones((2, 2)), "viridis", 1.0, 1.0).shape == (2, 2, 3)


def test_the_automatic_range_leaves_outliers_and_what_is_not_valid_out() -> None:
    values = np.linspace(0.0, 1.0, 10_000).reshape(100, 100)
    values[0, 0], values[50, 50] = 1e6, np.nan
    low, high = colormaps.auto_range(values)
    assert (low, high) == (pytest.approx(0.0, abs=0.01), pytest.approx(1.0, abs=0.01))
    valid = values < 0.5
    assert colormaps.auto_range(values, valid)[1] == pytest.approx(0.5, abs=0.01)
    low, high = colormaps.auto_range(values - 0.25, symmetric=True)
    assert (low, high) == (pytest.approx(-0.75, abs=0.01), pytest.approx(0.75, abs=0.01))
    assert colormaps.auto_range(np.full((3, 3), np.nan)) == (0.0, 1.0)
    assert colormaps.auto_range(np.full((3, 3), 4.0)) == (3.5, 4.5)


def test_an_unknown_map_names_those_there_are() -> None:
    with pytest.raises(EclipsError, match="viridis, cividis, gray, diverging"):
        colormaps.table("jet")
