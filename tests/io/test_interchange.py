"""Exports that other programs read: written here, read back by libraries that have nothing to do with this program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Export, ReadHeightMap, run_step
from eclips_app.io.export.interchange import quantised

SIZES = (3.5, 5.25)  #: nm, not square on purpose
ROWS, COLUMNS = 23, 41


def surface(hole: bool = True) -> np.ndarray:
    """A map in nm that has no symmetry, so that no flip or turn goes unseen."""
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    height = 120.0 + 3.0 * columns - 0.05 * rows**2 + np.sin(columns * rows / 50)
    height[2, 5] += 40.0
    if hole:
        height[4, 7] = np.nan
    return height


def export(path: Path, height: np.ndarray) -> Path:
    params = Export(str(path), SIZES[0], "test", {"made": "here"}, pixel_size_y_nm=SIZES[1])
    run_step("export", {"height": height}, params, SilentContext())
    return path


def by_sdfio(path: Path) -> tuple[np.ndarray, float, float]:
    import sdfio

    found = sdfio.read(path)
    return found.data * 1e9, found.header.x_scale * 1e9, found.header.y_scale * 1e9


def by_x3pio(path: Path) -> tuple[np.ndarray, float, float]:
    import x3pio

    found = x3pio.read(path)
    return found.layers[0].z * 1e9, found.header.x.increment * 1e9, found.header.y.increment * 1e9


def by_surfalize(path: Path) -> tuple[np.ndarray, float, float]:
    from surfalize import Surface

    found = Surface.load(path)
    return found.data * 1e3, found.step_x * 1e3, found.step_y * 1e3


def by_surface_topography(path: Path) -> tuple[np.ndarray, float, float]:
    from SurfaceTopography import read_topography

    found = read_topography(str(path)).to_unit("nm")
    size = found.pixel_size
    return np.ma.filled(found.heights(), np.nan).T, size[0], size[1]


def by_gwyfile(path: Path) -> tuple[np.ndarray, float, float]:
    import gwyfile

    content = gwyfile.load(str(path))
    field = content["/0/data"]
    data = np.where(np.asarray(content["/0/mask"].data) > 0.5, np.nan, field.data) * 1e9
    return data, field["xreal"] / field["xres"] * 1e9, field["yreal"] / field["yres"] * 1e9


Reader = Callable[[Path], tuple[np.ndarray, float, float]]
PAIRS = [
    (".sdf", by_sdfio), (".sdf", by_surfalize), (".sdf", by_surface_topography),
    (".sur", by_surfalize), (".sur", by_surface_topography),
    (".x3p", by_x3pio), (".x3p", by_surfalize), (".x3p", by_surface_topography),
    (".gwy", by_gwyfile),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "read"), PAIRS, ids=[f"{s[1:]}-{r.__name__[3:]}" for s, r in PAIRS])
@pytest.mark.filterwarnings("ignore")
def test_other_libraries_read_the_same_map(tmp_path: Path, suffix: str, read: Reader) -> None:
    expected = surface()
    found, size_x, size_y = read(export(tmp_path / f"a{suffix}", expected))
    assert found.shape == expected.shape
    assert (size_x, size_y) == pytest.approx(SIZES, rel=1e-6)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.nanmax(np.ptp(expected[expected == expected])))


@pytest.mark.parametrize("suffix", [".sdf", ".sur", ".x3p", ".gwy", ".tif", ".csv"])
def test_the_own_reader_gives_the_map_back_with_pixels_that_are_not_square(tmp_path: Path, suffix: str) -> None:
    expected = surface()
    path = export(tmp_path / f"a{suffix}", expected)
    result = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext())
    assert result.info["pixel_size_nm"] == pytest.approx(list(SIZES), rel=1e-5)
    np.testing.assert_allclose(result.arrays["height"], expected, atol=2e-5)


def test_the_picture_of_pixels_that_are_not_square_has_the_right_aspect(tmp_path: Path) -> None:
    from PIL import Image

    export(tmp_path / "a.png", np.zeros((40, 400)) + np.arange(400.0))
    with Image.open(tmp_path / "a.png") as picture:
        width, height = picture.size
    strip = max(24, width // 12)
    assert (height - strip) / width == pytest.approx(40 * SIZES[1] / (400 * SIZES[0]), rel=0.05)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.booleans())
def test_heights_lose_less_than_a_millionth_of_their_range(level: float, span: float, single: bool) -> None:
    height = level + span * np.linspace(0, 1, 35).reshape(5, 7)
    try:
        steps, step = quantised(height, single=single)
    except EclipsError:
        assert abs(level) > 100 * span  # far from zero, and so it is said
        return
    assert np.abs(steps).max() < 2**31 - 4
    assert np.abs(steps * step - height).max() <= 1e-6 * span
    assert not single or np.float32(step) == step


def test_a_flat_map_is_written(tmp_path: Path) -> None:
    for suffix in (".sdf", ".sur"):
        path = export(tmp_path / f"a{suffix}", np.zeros((4, 5)))
        result = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext())
        np.testing.assert_array_equal(result.arrays["height"], 0)


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="too far from zero"):
        export(tmp_path / "a.sdf", 1e9 + 1e-3 * surface(False))
    with pytest.raises(EclipsError, match="65535"):
        export(tmp_path / "a.sdf", np.zeros((2, 65536)))
    assert not list(tmp_path.iterdir())
