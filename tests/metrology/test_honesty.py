"""Verdicts on made-up maps, each with one thing wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from eclips_app.core.deviations import CLIPPED, NO_DATA, OCCLUDED
from eclips_app.metrology.evidence import thresholds
from eclips_app.metrology.honesty import Judgement, Maps, judge
from eclips_app.metrology.regions import regions_of

SIZE = 160
PIXEL_NM = 2.0


def noise(seed: int, degrees: int = 1) -> NDArray[np.float64]:
    """Chi-square as noise leaves it, smoothed as the engine does."""
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.chisquare(degrees, (SIZE, SIZE)) / degrees, 4.0)


def relief(seed: int = 1) -> NDArray[np.float64]:
    """A rough surface in nm with slopes of some 20 degrees."""
    height = gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), 6.0)
    return height * (0.35 * PIXEL_NM / np.gradient(height)[0].std())


def maps(**changes: Any) -> Maps:
    rng = np.random.default_rng(5)
    arrays: dict[str, Any] = {
        "height": relief(), "mask": np.ones((SIZE, SIZE), bool), "residual": rng.standard_normal((4, SIZE, SIZE)),
        "chi2": noise(2), "chi2_known": noise(3), "rho": np.exp(0.01 * rng.standard_normal((SIZE, SIZE))),
        "flags": np.zeros((SIZE, SIZE), np.uint8), "names": ("E", "N", "W", "S"),
    }  # fmt: skip
    return Maps(pixel_size_nm=PIXEL_NM, **{**arrays, **changes})


def patch(inside: float, outside: NDArray[np.float64], box: tuple[int, int, int, int]) -> NDArray[np.float64]:
    found = outside.copy()
    found[box[0] : box[2], box[1] : box[3]] *= inside
    return found


def kinds(judgement: Judgement) -> list[str]:
    return [verdict.kind for verdict in judgement.verdicts]


def test_noise_alone_is_explained_whatever_the_draw() -> None:
    for seed in range(20):
        found = judge(maps(chi2=noise(seed), chi2_known=noise(seed + 100)))
        assert kinds(found) == ["explained"]
        assert found.explained == pytest.approx(1.0, abs=1e-3)
    assert "100 % of the field" in found.verdicts[0].text


def test_the_threshold_follows_segments_and_an_overstated_noise() -> None:
    assert thresholds(np.ones((8, 8)), 4)[0] == pytest.approx(1.5, abs=0.01)
    assert thresholds(np.ones((8, 8)), 8)[0] == pytest.approx(1.22, abs=0.01)
    assert thresholds(np.full((8, 8), 0.7), 4) == pytest.approx((0.7 * 1.4987, 1.4), rel=1e-3)
    assert thresholds(np.full((8, 8), 5.0), 4)[1] == 2.0  # a bad fit everywhere is not the new normal


def test_a_region_that_is_not_explained_is_told_with_its_place() -> None:
    found = judge(maps(chi2=patch(6.0, noise(2), (30, 40, 60, 90)), origin_px=(100, 200)))
    assert kinds(found) == ["explained", "not explained"]
    worst = found.verdicts[1]
    assert worst.bbox == (30, 40, 60, 90)
    assert worst.chi2 == pytest.approx(6.0, rel=0.1)
    assert worst.area == pytest.approx(30 * 50 / SIZE**2)
    assert "Region 1, 50 × 30 px at (265, 145)" in worst.text
    assert "not to be trusted" in worst.text


def test_a_mild_region_is_strained() -> None:
    found = judge(maps(chi2=patch(1.75, np.ones((SIZE, SIZE)), (30, 40, 60, 90))))
    assert kinds(found) == ["explained", "strained"]


def test_a_misfit_in_one_segment_names_it() -> None:
    residual = np.random.default_rng(0).standard_normal((4, SIZE, SIZE))
    residual[2, 30:60, 40:90] += 20.0
    height = np.zeros((SIZE, SIZE))
    found = judge(maps(chi2=patch(9.0, noise(2), (30, 40, 60, 90)), residual=residual, height=height, rho=None))
    assert "in segment W" in found.verdicts[1].text


def test_steep_parts_and_shadows_are_named_as_the_cause() -> None:
    chi2 = patch(6.0, noise(2), (30, 40, 60, 90))
    height = np.zeros((SIZE, SIZE))
    height[:, 60:] = 200.0
    assert "steep edge" in judge(maps(chi2=patch(6.0, noise(2), (30, 58, 60, 62)), height=height)).verdicts[-1].text
    flags = np.zeros((SIZE, SIZE), np.uint8)
    flags[30:60, 40:90] = OCCLUDED
    found = judge(maps(chi2=chi2, flags=flags))
    assert kinds(found) == ["explained", "not explained", "occluded"]
    assert "shadow" in found.verdicts[1].text


def test_many_regions_are_summed_up() -> None:
    chi2 = noise(2)
    for row in range(8, SIZE - 10, 30):
        for column in range(8, SIZE - 10, 30):
            chi2[row : row + 10, column : column + 10] = 8.0
    found = [verdict for verdict in judge(maps(chi2=chi2)).verdicts if verdict.kind == "not explained"]
    assert len(found) == 7
    assert found[-1].bbox is None
    assert "19 smaller regions more" in found[-1].text


def test_brightness_that_follows_the_tilt_blames_the_geometry() -> None:
    down, right = np.gradient(relief() / PIXEL_NM)
    tilt = 0.5 * np.log1p(right**2 + down**2)
    rho = maps().rho
    assert rho is not None
    found = judge(maps(rho=rho * np.exp(0.3 * tilt), chi2_known=1.0 + 400.0 * tilt**2))
    assert kinds(found) == ["explained", "geometry"]
    assert "follows the tilt" in found.verdicts[1].text
    assert "grows from" in found.verdicts[1].text
    linear = judge(maps(rho=rho * np.exp(0.3 * tilt), chi2_known=None, flags=None, is_exact=False))
    assert "shadows, which Live does not know" in linear.verdicts[1].text


def test_brightness_that_follows_the_direction_blames_gains_and_axis() -> None:
    right = np.gradient(relief() / PIXEL_NM)[1]
    rho = maps().rho
    assert rho is not None
    found = judge(maps(rho=rho * np.exp(0.1 * right)))
    assert kinds(found) == ["explained", "geometry"]
    assert "Faces towards" in found.verdicts[1].text
    assert "180°" in found.verdicts[1].text  # what rises to the right faces left


def test_faces_that_all_look_one_way_do_not_blame_what_cancels() -> None:
    """On steps, tilt and direction are alike: a faint trend of both must not read as two strong ones."""
    right = np.arange(SIZE) % 40 < 20
    height = np.tile(np.cumsum(np.where(right, 0.7, 0.0)) * PIXEL_NM, (SIZE, 1))
    rho = maps().rho
    assert rho is not None
    edges = 0.03 * gaussian_filter((np.diff(height, n=2, axis=1, append=0, prepend=0) != 0).astype(float), 2.0)
    assert "geometry" not in kinds(judge(maps(height=height, rho=rho * np.exp(edges))))


def test_another_material_is_no_error() -> None:
    rho = maps().rho
    assert rho is not None
    box = (40, 30, 90, 110)
    found = judge(maps(rho=patch(1.4, rho, box), chi2_known=patch(20.0, noise(3), box)))
    assert kinds(found) == ["explained", "material"]
    assert found.verdicts[1].bbox == box
    assert "1.4 times as bright" in found.verdicts[1].text


def test_a_flat_field_does_not_test_the_geometry() -> None:
    found = judge(maps(height=np.zeros((SIZE, SIZE))))
    assert kinds(found) == ["explained", "untestable"]


def test_flags_and_masks_are_told() -> None:
    mask = np.ones((SIZE, SIZE), bool)
    mask[:20, :30] = False
    flags = np.where(mask, 0, NO_DATA).astype(np.uint8)
    flags[100:120, 100:130] |= CLIPPED
    chi2 = np.where(flags > 0, np.nan, noise(2))
    assert kinds(judge(maps(mask=mask, flags=flags, chi2=chi2))) == ["explained", "clipped", "no data"]
    residual = np.zeros((4, SIZE, SIZE))
    residual[1, 100:120, 100:130] = np.nan  # a linear run has no flags
    assert kinds(judge(maps(mask=mask, flags=None, chi2=chi2, residual=residual))) == [
        "explained",
        "clipped",
        "no data",
    ]


def test_three_segments_leave_no_test() -> None:
    nothing = np.full((SIZE, SIZE), np.nan)
    found = judge(maps(chi2=nothing, chi2_known=None, residual=np.zeros((3, SIZE, SIZE))))
    assert found.explained is None
    assert kinds(found) == ["untestable"]
    assert "three segments" in found.verdicts[0].text


def test_noise_that_is_taken_too_high_is_told() -> None:
    assert "overfitted" in kinds(judge(maps(chi2=0.3 * noise(2))))


def test_the_chi_square_of_a_linear_run_is_smoothed_first() -> None:
    rough = np.random.default_rng(1).chisquare(1, (SIZE, SIZE))
    assert kinds(judge(maps(chi2=rough, chi2_known=None, flags=None, is_exact=False))) == ["explained"]


def test_large_maps_are_judged_on_fewer_pixels() -> None:
    shape = (1500, 1400)
    chi2 = np.ones(shape, np.float32)
    chi2[300:400, 500:700] = 5.0
    found = judge(Maps(np.zeros(shape, np.float32), PIXEL_NM, chi2=chi2))
    assert found.verdicts[1].bbox == (300, 500, 400, 700)


def test_regions_merge_where_they_nearly_touch() -> None:
    found = np.zeros((40, 60), bool)
    found[5:10, 5:10] = found[5:10, 16:21] = found[30, 50] = True
    assert [region.area for region in regions_of(found).large] == [25, 25, 1]
    merged = regions_of(found, reach=4, least=2)
    assert [region.area for region in merged.large] == [50]
    assert merged.crumbs == 1
