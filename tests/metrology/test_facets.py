"""Facets of surfaces that are known: slopes, azimuths, angles, and whether their deviations tell the error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from facet_surfaces import PIXEL_NM, find, polyhedron, pyramid
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.core.context import SilentContext
from eclips_app.core.crystal import FindFacets, noise_hint
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.metrology.facets import sphere
from eclips_app.metrology.facets.found import IMAGE_PLANE, MEAN_PLANE
from eclips_app.metrology.facets.local import local_planes
from eclips_app.metrology.facets.report import angle_rows, facet_row

TILTS = (10.0, 22.0, 46.0, 54.7356)


@pytest.mark.parametrize("tilt", TILTS)
def test_a_clean_frustum_has_its_slopes_azimuths_and_angles(tilt: float) -> None:
    found = find(pyramid(tilt))
    assert len(found) == 5
    flat = min(found.numbers, key=lambda n: abs(found.planes[n, 1:]).max())
    sides = sorted((n for n in found.numbers if n != flat), key=lambda n: found.fall_azimuth(n, flat).quantity.value)
    for place, number in enumerate(sides):
        assert found.tilt(number, flat).quantity.value == pytest.approx(tilt, abs=0.02)
        azimuth = 20.0 + 90.0 * place
        assert found.fall_azimuth(number, flat).quantity.value == pytest.approx(azimuth, abs=0.03)
        assert found.trace_azimuth(number, flat).quantity.value == pytest.approx((azimuth + 90) % 180, abs=0.03)
    opposite = found.angle(sides[0], sides[2]).quantity.value
    assert opposite == pytest.approx(2 * tilt, abs=0.03)
    beside = math.degrees(math.acos(math.cos(math.radians(tilt)) ** 2))
    assert found.angle(sides[0], sides[1]).quantity.value == pytest.approx(beside, abs=0.03)


def test_areas_add_up_to_the_surface() -> None:
    found = find(pyramid(46.0))
    sides = [n for n in found.numbers if found.tilt(n, IMAGE_PLANE).quantity.value > 1]
    projected = sum(found.area_nm2(n).value * math.cos(math.radians(46)) for n in sides)
    flat = sum(found.area_nm2(n).value for n in found.numbers if n not in sides)
    assert projected + flat == pytest.approx(161**2 * PIXEL_NM**2, rel=0.02)


def test_slopes_are_told_from_the_reference_plane_not_from_the_image() -> None:
    columns = np.indices((161, 161))[1]
    leaning = pyramid(30.0) + 0.1 * columns * PIXEL_NM  # shears the body: both planes lean, so angles change a little
    found = find(leaning)
    flat = max(
        found.numbers, key=lambda n: -abs(found.tilt(n, IMAGE_PLANE).quantity.value - math.degrees(math.atan(0.1)))
    )
    side = max(found.numbers, key=lambda n: found.planes[n, 1])  # falls to the left
    p, q = found.planes[side, 1:]
    expected = (1 + 0.1 * p) / math.sqrt(1.01 * (1 + p * p + q * q))
    assert found.tilt(side, flat).quantity.value == pytest.approx(math.degrees(math.acos(expected)), abs=0.02)
    assert found.tilt(flat, IMAGE_PLANE).quantity.value == pytest.approx(math.degrees(math.atan(0.1)), abs=0.02)
    assert found.tilt(MEAN_PLANE, MEAN_PLANE).quantity.value == pytest.approx(0.0, abs=1e-9)


def test_noise_is_covered_by_the_scatter() -> None:
    pulls = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found = find(pyramid(46.0) + rng.normal(0.0, 0.6, (161, 161)))
        sides = [n for n in found.numbers if found.tilt(n, IMAGE_PLANE).quantity.value > 30]
        assert len(sides) == 4
        for number in sides:
            tilt = found.tilt(number, IMAGE_PLANE).quantity
            assert tilt.std is not None
            assert tilt.std < 0.2
            pulls.append((tilt.value - 46.0) / tilt.std)
    assert 0.5 < float(np.sqrt(np.mean(np.square(pulls)))) < 1.5


def test_stated_deviations_cover_errors_of_the_whole_map_and_cancel_between_facets() -> None:
    """Each map is one standard deviation of an error of the heights; drawn errors must lie within what is told."""
    clean = pyramid(40.0)
    columns = np.indices(clean.shape)[1]
    lean, scale = 0.02 * columns, 0.01 * clean / PIXEL_NM
    rng = np.random.default_rng(3)
    rough = [np.cumsum(np.cumsum(rng.normal(0, 2e-3, clean.shape), axis=0), axis=1) for _ in range(3)]
    maps = np.stack([lean, scale, *rough]).astype(np.float16)
    parts = (("geometry", "tilt_x_deg"), ("geometry", "distance_mm"), *(("noise", f"draw {i}") for i in range(3)))
    pulls, angle_pulls = [], []
    for seed in range(25):
        draws = np.random.default_rng(seed).normal(size=len(maps))
        height = clean + np.tensordot(draws, maps.astype(float), 1) * PIXEL_NM
        found = find(height, deviations=maps, parts=parts)
        sides = sorted(found.numbers, key=lambda n: -found.tilt(n, IMAGE_PLANE).quantity.value)[:4]
        pulls += [_pull(found.tilt(n, IMAGE_PLANE).quantity, 40.0) for n in sides]
        flat = min(found.numbers, key=lambda n: found.tilt(n, IMAGE_PLANE).quantity.value)
        angle_pulls += [_pull(found.tilt(n, flat).quantity, 40.0) for n in sides]
    assert 0.6 < float(np.sqrt(np.mean(np.square(pulls)))) < 1.4
    assert 0.6 < float(np.sqrt(np.mean(np.square(angle_pulls)))) < 1.4
    assert found.tilt(sides[0], IMAGE_PLANE).budget.largest is not None


def test_a_tilt_of_the_whole_map_cancels_in_angles() -> None:
    clean = pyramid(20.0)
    lean = np.broadcast_to(0.01 * np.arange(161.0), clean.shape)[None].astype(np.float32)
    found = find(clean, deviations=lean, parts=(("geometry", "tilt_x_deg"),))
    alone, together = found.tilt(2, IMAGE_PLANE).quantity, found.angle(2, 3).quantity
    assert alone.std is not None
    assert together.std is not None
    assert together.std < 0.2 * alone.std + 1e-6


def test_the_pixel_size_changes_areas_but_no_angles() -> None:
    clean = pyramid(35.0)
    maps = 0.02 * clean[None] / PIXEL_NM
    found = find(clean, deviations=maps, parts=(("pixel size", "samples"),), length_deviations=(0.02,))
    side = max(found.numbers, key=lambda n: found.tilt(n, IMAGE_PLANE).quantity.value)
    assert found.tilt(side, IMAGE_PLANE).quantity.std == pytest.approx(0.0, abs=1e-3)
    area = found.area_nm2(side)
    assert area.std == pytest.approx(0.04 * area.value, rel=1e-6)


def test_parallel_terraces_are_apart_by_the_step() -> None:
    columns = np.broadcast_to(np.arange(160.0), (120, 160))
    height = np.where(columns < 80, 0.0, 7.5) + np.random.default_rng(0).normal(0, 0.1, columns.shape)
    found = find(height)
    assert len(found) == 2
    step = found.step(1, 2, 1)
    assert step is not None
    assert step.quantity.std is not None
    assert abs(step.quantity.value) == pytest.approx(7.5, abs=4 * step.quantity.std)
    assert step.quantity.std < 0.1


def test_terraces_joined_somewhere_are_split() -> None:
    rows, columns = np.indices((160, 160)).astype(float)
    climb = np.clip((rows - 100) / 60, 0, 1)  # a ramp so gentle that it joins both terraces
    height = np.where(columns < 80, 0.0, 20.0 * (1 - climb))
    found = find(height)
    levels = sorted(found.planes[n, 0] for n in (1, 2))
    assert levels == pytest.approx([0.0, 20.0], abs=0.5)


def test_every_facet_has_a_spot_inside_even_a_ring() -> None:
    columns, rows = np.meshgrid(np.arange(161.0) - 80, np.arange(161.0) - 80)
    ring = np.minimum(np.maximum(np.abs(rows), np.abs(columns)) * PIXEL_NM - 60.0, 0.0)  # a pit in the middle of a flat
    found = find(ring)
    for number in found.numbers:
        column, row = found.facts[number]["spot_px"]
        assert found.labels[int(row), int(column)] == number


def test_outliers_and_gaps_do_not_move_a_facet() -> None:
    height = pyramid(46.0)
    rng = np.random.default_rng(1)
    spikes = rng.integers(161, size=(60, 2))
    height[spikes[:, 0], spikes[:, 1]] += 40.0
    height[5:12, 20:60] = np.nan
    found = find(height, least_area_px=400)
    tilts = sorted(found.tilt(n, IMAGE_PLANE).quantity.value for n in found.numbers)
    assert tilts[-1] == pytest.approx(46.0, abs=0.05)
    assert not (found.labels[np.isnan(height)] > 0).any()


def test_pixels_need_not_be_square() -> None:
    found = find(pyramid(30.0), pixel_size_nm=(PIXEL_NM, 2 * PIXEL_NM))
    fine = find(pyramid(30.0))
    wide, square = (
        sorted(map(tuple, each.planes[1:, 1:] * factor)) for each, factor in ((found, (1, 2)), (fine, (1, 1)))
    )
    np.testing.assert_allclose(wide, square, atol=2e-3)


def test_noise_that_the_radius_does_not_stand_is_told() -> None:
    noisy = pyramid(20.0) + np.random.default_rng(0).normal(0, 1.0, (161, 161))
    for radius, told in ((2, True), (6, False)):
        params = FindFacets(pixel_size_nm=(PIXEL_NM, PIXEL_NM), radius_px=radius)
        result = run_step("find-facets", {"height": noisy}, params, SilentContext())
        expected = math.degrees(
            1.0 / (PIXEL_NM * math.sqrt((2 * radius + 1) * 2 * sum(i * i for i in range(radius + 1))))
        )
        assert result.info["normal_std_deg"] == pytest.approx(expected, rel=0.1)
        assert ("larger radius" in noise_hint(result.info, params)) is told


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(EclipsError, match="no height was measured"):
        find(np.full((30, 30), np.nan))
    with pytest.raises(EclipsError, match="hardly any height"):
        find(np.where(np.indices((30, 30)).sum(axis=0) % 3, np.nan, 0.0))
    with pytest.raises(EclipsError, match="smaller than one local plane"):
        find(np.zeros((3, 3)))
    with pytest.raises(EclipsError, match="0 parts are named for 1 maps"):
        find(np.zeros((30, 30)), deviations=np.zeros((1, 30, 30)))
    with pytest.raises(EclipsError, match="there is no facet 9"):
        find(pyramid(20.0)).tilt(9, 1)


def test_rows_for_json_leave_out_what_means_nothing() -> None:
    found = find(pyramid(46.0))
    flat = min(found.numbers, key=lambda n: found.tilt(n, IMAGE_PLANE).quantity.value)
    assert "slope" not in facet_row(found, flat, flat)
    side = next(n for n in found.numbers if n != flat)
    assert {"slope", "fall_azimuth", "trace_azimuth"} <= set(facet_row(found, side, flat))
    rows = angle_rows(found)
    assert len(rows) == len(found) * (len(found) - 1) // 2
    assert rows[0]["angle"]["value"] + rows[0]["external_angle"]["value"] == pytest.approx(180.0)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 90.0), st.floats(0.0, 360.0))
def test_the_disc_keeps_directions(tilt: float, azimuth: float) -> None:
    t, a = np.radians([tilt, azimuth])
    normal = np.array([np.sin(t) * np.cos(a), np.sin(t) * np.sin(a), np.cos(t)])
    place = sphere.to_disc(normal)
    assert np.hypot(*place) == pytest.approx(math.sqrt(2) * math.sin(t / 2), abs=1e-12)
    assert sphere.from_disc(place * (1 - 1e-12)) == pytest.approx(normal, abs=1e-6)


def test_the_histogram_is_one_where_all_directions_are_alike() -> None:
    rng = np.random.default_rng(0)
    z, a = rng.random(400_000), rng.uniform(0, 2 * np.pi, 400_000)
    normals = np.stack([np.sqrt(1 - z * z) * np.cos(a), np.sqrt(1 - z * z) * np.sin(a), z], axis=1)
    density = sphere.histogram(normals, np.ones(len(z)), 2.0)
    middle = sphere.BINS // 2
    assert density[middle - 40 : middle + 40, middle - 40 : middle + 40].mean() == pytest.approx(1.0, abs=0.02)


def test_local_planes_are_exact_on_planes_with_holes() -> None:
    rows, columns = np.indices((40, 50)).astype(float)
    height = 0.3 * columns * PIXEL_NM + 0.2 * rows * PIXEL_NM + 1e4
    height[10:14, 20:25] = np.nan
    local = local_planes(height, (PIXEL_NM, PIXEL_NM), 3)
    known = np.isfinite(local.p)
    np.testing.assert_allclose(local.p[known], 0.3, atol=1e-6)
    np.testing.assert_allclose(local.q[known], -0.2, atol=1e-6)  # rows count downwards
    assert known.sum() >= np.isfinite(height).sum() - 60


def test_a_flat_body_of_many_sides_is_one_facet_each() -> None:
    azimuth = np.radians(22.5 + 45 * np.arange(8))
    tilt = np.radians(np.where(np.arange(8) % 2, 45.0, 54.7356))
    normals = np.stack([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)], axis=1)
    normals = np.concatenate([[[0.0, 0.0, 1.0]], normals])
    found = find(polyhedron(normals, np.array([0.0, *(70.0 * np.sin(tilt))])))
    assert len(found) == 9


def _pull(quantity: object, truth: float) -> float:
    return (quantity.value - truth) / quantity.std  # type: ignore[attr-defined]
