"""The step ``level``: planes, bows, lines, terraces and scars that were put in come out again, and the deviations go along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core import schema
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.levelling import KINDS, Level, LevelStep, levels_of, recipe_text
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.metrology.level_surfaces import fit_facets

AFM = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "afm"
SIZE = 96
ROWS, COLUMNS = np.mgrid[0:SIZE, 0:SIZE].astype(float)
SIZE_NM = (2.0, 2.0)
RNG = np.random.default_rng(5)
TILT = 0.21 * COLUMNS - 0.34 * ROWS
#: A staircase whose edges cross the lines at an angle, as on a miscut crystal.
STAIRS = -4.0 * np.floor((COLUMNS + 0.6 * ROWS + 7) / 30)
LINES = RNG.normal(0, 3, SIZE)[:, None]
NOISE = RNG.normal(0, 0.05, ROWS.shape)
#: Islands on less than half of the area: the prevalent facets are those of the ground.
ISLANDS = 6.0 * ((COLUMNS // 24 % 2 == 1) & (ROWS // 24 % 2 == 1))


def level(height: np.ndarray, *steps: LevelStep, inputs: dict[str, Any] | None = None, **params: Any) -> Any:
    chosen = Level(steps, **{"pixel_size_nm": SIZE_NM, **params})
    return run_step("level", {"height": height, **(inputs or {})}, chosen, SilentContext())


def levelled(height: np.ndarray, *steps: LevelStep, **params: Any) -> np.ndarray:
    return level(height, *steps, **params).arrays["height"]


def rms(values: np.ndarray) -> float:
    """Spread about the mean: levels are free."""
    return float(np.nanstd(values))


@pytest.mark.parametrize("kind", KINDS)
def test_the_input_is_left_as_it_was_and_the_type_is_kept(kind: str) -> None:
    height = (STAIRS + TILT + NOISE).astype(np.float32)
    height[10, 20] = np.nan
    before = height.copy()
    points = ((5.0, 5.0), (80.0, 9.0), (40.0, 80.0)) if kind == "three-points" else ()
    found = levelled(height, LevelStep(kind, points_px=points))
    np.testing.assert_array_equal(height, before)
    assert found.dtype == np.float32
    assert found.shape == height.shape
    assert np.isnan(found[10, 20])
    assert np.isnan(found).sum() == 1


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-1e4, 1e4), st.integers(0, 4), st.integers(0, 4))
def test_a_polynomial_goes_altogether(across: float, down: float, level_nm: float, p: int, q: int) -> None:
    x, y = COLUMNS / SIZE, ROWS / SIZE
    height = level_nm + across * x + down * y + 30 * x**p * y**q
    step = LevelStep("polynomial", degree_x=max(p, 1), degree_y=max(q, 1))
    np.testing.assert_allclose(levelled(height, step), 0, atol=1e-6)


def test_the_total_degree_leaves_products_out() -> None:
    x, y = COLUMNS / SIZE - 0.5, ROWS / SIZE - 0.5
    step = LevelStep("polynomial", degree_x=2, degree_y=2, total_degree=2)
    assert rms(levelled(x * x + y * y + x * y, step)) < 1e-12
    assert rms(levelled(x * x * y, step)) > 0.01


def test_a_polynomial_is_that_of_a_general_solver() -> None:
    height = RNG.normal(size=ROWS.shape)
    mask = RNG.random(ROWS.shape) < 0.7
    terms = [COLUMNS**i * ROWS**j for i in range(3) for j in range(3) if i + j <= 2]
    design = np.stack([term[mask] for term in terms], axis=1)
    factors = np.linalg.lstsq(design, height[mask], rcond=None)[0]
    expected = height - sum(f * term for f, term in zip(factors, terms, strict=True))
    step = LevelStep("polynomial", degree_x=2, degree_y=2, total_degree=2)
    np.testing.assert_allclose(levelled(height, step, inputs={"mask": mask}), expected, atol=1e-9)


def test_facets_level_the_ground_between_islands_where_a_plane_does_not() -> None:
    height = ISLANDS + TILT + 0.6 * (COLUMNS % 24) * (ISLANDS > 0) + NOISE
    ground = ISLANDS == 0
    by_facets, by_plane = (levelled(height, LevelStep(kind)) for kind in ("facet", "plane"))

    def slope(values: np.ndarray) -> float:
        return float(np.hypot(*np.linalg.lstsq(
            np.stack([COLUMNS[ground], ROWS[ground], np.ones(ground.sum())], axis=1), values[ground], rcond=None
        )[0][:2]))  # fmt: skip

    assert slope(by_facets) < 1e-3
    assert slope(by_plane) > 10 * slope(by_facets)


def test_facets_count_slopes_in_nanometres_whatever_the_pixels() -> None:
    height = 30.0 * (COLUMNS // 16 % 2 == 1) + 0.4 * COLUMNS - 0.1 * ROWS
    found = level(height, LevelStep("facet"), pixel_size_nm=(2.0, 5.0))
    assert found.info["steps"] == [f"plane tilted by {np.degrees(np.arctan(np.hypot(0.2, 0.02))):.4g}°"]
    assert len(np.unique(np.round(found.arrays["height"], 6))) == 2


@pytest.mark.parametrize("estimate", ["median", "mean", "difference"])
def test_lines_that_differ_by_offsets_come_back(estimate: str) -> None:
    surface = np.sin(COLUMNS / 9)
    found = levelled(surface + LINES, LevelStep("rows", estimate=estimate))
    assert rms(found - surface) < 1e-9
    assert found.mean() == pytest.approx((surface + LINES).mean())


def test_lines_that_tilt_are_fitted_one_by_one() -> None:
    tilts = RNG.normal(0, 0.1, SIZE)[:, None] * (COLUMNS - 40)
    assert rms(levelled(LINES + tilts, LevelStep("rows", estimate="polynomial"))) < 1e-9
    assert rms(levelled(LINES + tilts, LevelStep("rows"))) > 0.1


def test_lines_may_run_downwards() -> None:
    surface = np.sin(COLUMNS / 9)
    found = levelled((surface + LINES).T, LevelStep("rows", estimate="mean", direction="vertical"))
    assert rms(found - surface.T) < 1e-9


def test_a_line_without_heights_takes_the_offset_between_its_neighbours() -> None:
    height = np.cos(COLUMNS / 9) + 0.1 * ROWS
    height[30] = np.nan
    found = levelled(height, LevelStep("rows", estimate="mean"))
    assert np.isnan(found[30]).all()
    assert rms(np.delete(found, 30, axis=0) - np.cos(COLUMNS[:-1] / 9)) < 1e-9


def test_differences_keep_islands_that_medians_smear() -> None:
    surface = 6.0 * ((COLUMNS < 60) & (ROWS > 20) & (ROWS < 70))  # more than half of each line that it lies on
    by_difference = levelled(surface + LINES, LevelStep("rows", estimate="difference"))
    by_median = levelled(surface + LINES, LevelStep("rows", estimate="median"))
    assert rms(by_difference - surface) > 2  # it rises on more than half of a line at once: taken for an offset
    slanted = 6.0 * (COLUMNS + 0.8 * ROWS > 90)
    by_difference = levelled(slanted + LINES, LevelStep("rows", estimate="difference"))
    by_median = levelled(slanted + LINES, LevelStep("rows", estimate="median"))
    assert rms(by_difference - slanted) < 1e-9
    assert rms(by_median - slanted) > 1


@pytest.mark.parametrize("align_rows", [True, False])
def test_terraces_keep_their_steps_while_tilt_and_lines_go(align_rows: bool) -> None:
    height = STAIRS + TILT + NOISE + (LINES if align_rows else 0.0)
    result = level(height, LevelStep("steps", align_rows=align_rows))
    off = result.arrays["height"] - STAIRS
    assert rms(off) < 1.05 * 0.05  # nothing but the noise is left
    heights = [float(np.median(result.arrays["height"][step == STAIRS])) for step in np.unique(STAIRS)]
    assert np.diff(heights) == pytest.approx(4.0, abs=0.02)
    assert "5 terraces kept" in result.info["steps"][0]
    assert rms(levelled(height, LevelStep("plane")) - STAIRS) > 20 * rms(off)


def test_steps_that_are_all_edge_are_told() -> None:
    with pytest.raises(EclipsError, match=r"step 1, Step-aware.*no terrace"):
        levelled(RNG.normal(size=ROWS.shape), LevelStep("steps", smoothing_px=0.0, edge=1.0))


def test_scars_are_found_where_they_are_and_filled_from_above_and_below() -> None:
    clean = STAIRS + NOISE + 0.05 * ROWS
    height = clean.copy()
    height[40, 20:60] += 9.0
    height[70:73, 10:90] -= 7.0
    scarred = height != clean
    result = level(height, LevelStep("scars"))
    changed = result.arrays["height"] != height
    np.testing.assert_array_equal(changed, scarred)
    assert np.abs(result.arrays["height"] - clean)[scarred].max() < 4.5  # a stroke may hide a step
    assert rms((result.arrays["height"] - clean)[scarred]) < 1.0
    np.testing.assert_array_equal(levelled(clean, LevelStep("scars")), clean)


def test_short_strokes_and_low_ones_are_no_scars() -> None:
    height = NOISE.copy()
    height[40, 20:30] += 5.0
    np.testing.assert_array_equal(levelled(height, LevelStep("scars")), height)
    assert (levelled(height, LevelStep("scars", scar_length_px=8)) != height).sum() == 10
    np.testing.assert_array_equal(levelled(height, LevelStep("scars", scar_length_px=8, scar_threshold=100.0)), height)


AREAS = {
    "rectangle": Shape("rectangle", ((20.0, 10.0), (60.0, 50.0))),
    "polygon": Shape("polygon", ((20.0, 10.0), (60.0, 10.0), (60.0, 50.0), (20.0, 50.0))),
    "circle": Shape("circle", ((40.0, 30.0), (40.0, 58.5))),
}


@pytest.mark.parametrize("shape", AREAS)
def test_areas_are_left_out_or_taken_alone(shape: str) -> None:
    hill = 50.0 * ((COLUMNS >= 20) & (COLUMNS <= 60) & (ROWS >= 10) & (ROWS <= 50))
    height = hill + TILT
    without = levelled(height, LevelStep("plane", area="exclude"), areas=(AREAS[shape],))
    assert rms(without - hill) < 1e-9
    assert rms(levelled(height, LevelStep("plane")) - hill) > 1
    alone = levelled(
        hill * np.sin(COLUMNS) + TILT,
        LevelStep("plane", area="include"),
        areas=(Shape("rectangle", ((0, 60), (95, 95))),),
    )
    assert rms(alone - hill * np.sin(COLUMNS)) < 1e-9


def test_areas_that_are_not_drawn_are_asked_for() -> None:
    with pytest.raises(EclipsError, match=r"no areas.*Draw"):
        levelled(TILT, LevelStep("plane", area="exclude"), areas=(Shape("line", ((0, 0), (5, 5))),))


def test_a_range_of_heights_leaves_particles_out() -> None:
    height = RNG.normal(0, 0.01, ROWS.shape) + 80.0 * ((COLUMNS - 80) ** 2 + (ROWS - 20) ** 2 < 100)
    found = levelled(height, LevelStep("plane", high_percent=90.0))
    ground = height < 1
    assert rms(found[ground]) < 0.011
    assert rms(levelled(height, LevelStep("plane"))[ground]) > 1


def test_steps_follow_each_other() -> None:
    height = STAIRS + TILT + LINES + 30 * (COLUMNS / SIZE) ** 2
    steps = (LevelStep("rows", estimate="difference"), LevelStep("plane"), LevelStep("facet"))
    one_by_one = height
    for step in steps:
        one_by_one = levelled(one_by_one, step)
    result = level(height, *steps)
    np.testing.assert_array_equal(result.arrays["height"], one_by_one)
    assert len(result.info["steps"]) == 3


def test_a_preview_is_thinned_out() -> None:
    result = level(TILT, LevelStep("plane"), preview_px=40)
    assert result.info["stride_px"] == 3
    np.testing.assert_allclose(result.arrays["before"], TILT[::3, ::3], rtol=1e-6)
    np.testing.assert_allclose(result.arrays["after"], 0, atol=1e-6)


def test_what_is_not_possible_is_told_with_the_step() -> None:
    with pytest.raises(EclipsError, match="needs three"):
        levelled(TILT, LevelStep("three-points", points_px=((0.0, 0.0),)))
    with pytest.raises(EclipsError, match=r"60 % to 40 %"):
        levelled(TILT, LevelStep(low_percent=60, high_percent=40))
    with pytest.raises(EclipsError, match=r"step 2, Plane.*fewer than three"):
        levelled(
            TILT,
            step_of("three-points"),
            LevelStep("plane"),
            inputs={"mask": np.eye(SIZE, k=0, dtype=bool) & (ROWS < 2)},
        )
    with pytest.raises(EclipsError, match="no height anywhere"):
        levelled(np.full((4, 4), np.nan), LevelStep())
    with pytest.raises(EclipsError, match="the shape"):
        level(TILT, LevelStep(), inputs={"deviations": np.zeros((2, 3, 3), np.float16)})


# What is known of the uncertainty


def step_of(shape: str) -> LevelStep:
    points = ((10.0, 10.0), (80.0, 15.0), (40.0, 85.0))
    return LevelStep(shape, points_px=points) if shape == "three-points" else LevelStep(shape)


def smooth_maps(number: int) -> np.ndarray:
    x, y = COLUMNS / SIZE, ROWS / SIZE
    parts = RNG.normal(size=(number, 4))
    return np.stack([0.02 * (a * x + b * y + c * np.sin(6 * x) + d) for a, b, c, d in parts])


@pytest.mark.parametrize("kind", ["plane", "three-points", "polynomial"])
def test_linear_steps_do_the_same_to_the_deviations(kind: str) -> None:
    """Levelling h + d gives the levelled h plus the levelled d, so every reading keeps its right standard deviation."""
    height = STAIRS + TILT + NOISE
    maps = smooth_maps(3)
    result = level(height, step_of(kind), inputs={"deviations": maps.astype(np.float32)})
    for each, found in zip(maps, result.arrays["deviations"], strict=True):
        expected = levelled(height + each * SIZE_NM[0], step_of(kind)) - result.arrays["height"]
        np.testing.assert_allclose(found * SIZE_NM[0], expected, atol=1e-6)
    std = np.sqrt((result.arrays["deviations"].astype(float) ** 2).sum(axis=0)) * SIZE_NM[0]
    np.testing.assert_allclose(result.arrays["height_std"], std, rtol=1e-5)


@pytest.mark.parametrize("kind", ["facet", "rows", "steps"])
def test_the_spread_after_a_step_that_is_not_linear_is_that_of_many_levelled_maps(kind: str) -> None:
    """The maps give the variance of heights levelled again and again with errors drawn from them."""
    height = ISLANDS + TILT + NOISE
    maps = smooth_maps(4)
    result = level(height, step_of(kind), inputs={"deviations": maps.astype(np.float32)})
    draws = RNG.normal(size=(150, 4))
    tried = [levelled(height + SIZE_NM[0] * np.tensordot(each, maps, 1), step_of(kind)) for each in draws]
    seen = np.std(tried, axis=0)
    assert np.median(result.arrays["height_std"] / np.maximum(seen, 1e-9)) == pytest.approx(1.0, abs=0.15)


def test_the_prevalent_slope_follows_small_changes_as_its_derivative_says() -> None:
    height = ISLANDS + TILT + NOISE
    used = np.ones(height.shape, bool)
    fit = fit_facets(height, used, SIZE_NM)
    for change in smooth_maps(3):
        step = 0.01
        up, down = (fit_facets(height + sign * step * change, used, SIZE_NM).plane for sign in (1, -1))
        seen = (up.per_column_nm - down.per_column_nm, up.per_row_nm - down.per_row_nm)
        said = fit.moved(change)
        assert (said.per_column_nm, said.per_row_nm) == pytest.approx(
            tuple(value / (2 * step) for value in seen), abs=2e-5
        )


def test_normals_turn_with_the_surface() -> None:
    height = 0.5 * COLUMNS * SIZE_NM[0] - 0.25 * ROWS * SIZE_NM[1]  # rises to the right and to the top
    normal = np.array([-0.5, -0.25, 1.0]) / np.linalg.norm([0.5, 0.25, 1.0])
    normals = np.broadcast_to(normal[:, None, None], (3, *height.shape)).astype(np.float32)
    found = level(height, LevelStep("plane"), inputs={"normals": normals}).arrays["normals"]
    np.testing.assert_allclose(found, np.broadcast_to([[[0.0]], [[0.0]], [[1.0]]], found.shape), atol=1e-6)
    assert found.dtype == np.float32


# The recipe


def test_a_recipe_is_kept_and_gives_the_same_heights_again() -> None:
    params = Level(
        (LevelStep("plane", area="exclude"), LevelStep("rows", estimate="mean")), SIZE_NM, (AREAS["circle"],)
    )
    height = STAIRS + TILT + LINES
    first = run_step("level", {"height": height}, params, SilentContext()).arrays["height"]
    recipe = (schema.dump(params),)
    again = height
    for each in levels_of(recipe):
        again = run_step("level", {"height": again}, each, SilentContext()).arrays["height"]
    np.testing.assert_array_equal(again, first)
    assert recipe_text(recipe) == "Plane (areas exclude), then Line by line (offset of a line mean)"
    with pytest.raises(EclipsError, match="levelling"):
        levels_of(({"steps": [{"kind": "iron"}]},))


# Real files

needs_files = pytest.mark.usefixtures("shared_data")


def read(name: str, **params: Any) -> tuple[np.ndarray, tuple[float, float]]:
    result = run_step("read-height-map", {}, ReadHeightMap(str(AFM / name), **params), SilentContext())
    size = result.info["pixel_size_nm"]
    return result.arrays["height"], (size[0], size[1])


@needs_files
@pytest.mark.filterwarnings("ignore")
def test_plane_and_bow_of_a_real_map_are_those_of_other_libraries() -> None:
    from SurfaceTopography import Topography
    from surfalize import Surface

    height, size = read("sample_0.top")
    by_plane = levelled(height, LevelStep("plane"), pixel_size_nm=size)
    theirs = np.asarray(Surface(height, *size).level().data)
    assert np.abs((by_plane - by_plane.mean()) - (theirs - theirs.mean())).max() < 1e-6 * np.ptp(by_plane)
    bow = LevelStep("polynomial", degree_x=2, degree_y=2, total_degree=2)
    sizes = tuple(n * s for n, s in zip(height.shape, size, strict=True))
    detrended = Topography(height, sizes).detrend("curvature").heights()
    ours = levelled(height, bow, pixel_size_nm=size)
    assert rms(ours) == pytest.approx(float(np.std(detrended)), rel=1e-6)
    assert rms(ours) < 0.65 * rms(by_plane)  # the scanner's bow


@needs_files
@pytest.mark.parametrize("degree", [1, 2])
def test_lines_of_a_real_map_are_levelled_as_by_another_library(degree: int) -> None:
    from SurfaceTopography import Topography

    height, size = read("Veeco_20160622.003")
    lines = Topography(height.T, (100.0, 100.0)).scan_line_align(direction="x", mode="mean", degree=degree)
    ours = levelled(height, LevelStep("rows", estimate="polynomial", row_degree=degree), pixel_size_nm=size)
    theirs = lines.heights().T
    np.testing.assert_allclose(ours - ours.mean(), theirs - theirs.mean(), atol=1e-9)


@needs_files
def test_the_bad_lines_of_a_real_map_go() -> None:
    height, _ = read("Veeco_20160622.003")
    assert np.ptp(height) > 150
    found = levelled(height, LevelStep("scars", scar_width_px=8), LevelStep("rows"), LevelStep("plane"))
    assert rms(found) < 0.25 * rms(height)
    assert np.ptp(np.percentile(found, (0.1, 99.9))) < 20


@needs_files
def test_real_terraces_stay_while_their_tilt_goes() -> None:
    """Of the bunched steps the list of the files says a range (1 to 99 %) of 15.7 nm after levelling by a plane."""
    height, size = read("mi-1.mi")
    by_plane = levelled(height, LevelStep("plane"), pixel_size_nm=size)
    assert np.ptp(np.percentile(by_plane, (1, 99))) == pytest.approx(15.7, abs=0.05)
    islands, _ = read("afmlevel_islands_200px.tiff", unit="nm", pixel_size_nm=(1.0, 1.0))
    found = levelled(islands, LevelStep("steps"))
    lower, upper = two_levels(found)
    assert upper[1] < two_levels(islands)[1][1]  # the upper terrace is narrower than before
    assert upper[0] - lower[0] == pytest.approx(two_levels(islands)[1][0] - two_levels(islands)[0][0], rel=0.1)


def two_levels(height: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Median and spread of what lies below and above the best cut in two (Otsu)."""
    from skimage.filters import threshold_otsu

    cut = threshold_otsu(height)
    parts = (height[height <= cut], height[height > cut])
    below, above = ((float(np.median(p)), float(np.subtract(*np.percentile(p, (75, 25))))) for p in parts)
    return below, above
