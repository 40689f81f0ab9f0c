"""Which planes facets may be: candidates of slopes and azimuths that are known, and crystals that were turned."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from facet_surfaces import find, polyhedron
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from eclips_app.core.crystal import PRESETS, Crystal, Hkl
from eclips_app.metrology.crystal import families, family
from eclips_app.metrology.crystal_index import Candidate, Indexed, index, k_sigma
from eclips_app.metrology.crystal_poles import base_rotation
from eclips_app.metrology.facets.found import Direction
from eclips_app.metrology.facets.report import crystal_rows, index_found

CU = PRESETS["Cu"]
TOP = Crystal(CU, (1, 0, 0), orientation_std_deg=0.0)


def direction(tilt_deg: float, azimuth_deg: float, std_deg: float, azimuth_std_deg: float | None = None) -> Direction:
    """A facet with a standard deviation of the tilt, and of the azimuth times the sine of the tilt."""
    t, a = np.radians([tilt_deg, azimuth_deg])
    normal = np.array([np.sin(t) * np.cos(a), np.sin(t) * np.sin(a), np.cos(t)])
    return Direction(normal, np.diag(np.radians([std_deg, azimuth_std_deg or std_deg]) ** 2))


def of(indexed: Indexed, facet: int, hkl: Hkl | None) -> Candidate:
    return next(each for each in indexed.candidates[facet] if each.hkl == hkl)


def best(indexed: Indexed, facet: int) -> Hkl | None:
    return indexed.candidates[facet][0].hkl


def test_46_degrees_on_a_100_top_lists_331_and_110_with_their_sigmas() -> None:
    indexed = index({2: direction(46.0, 33.0, 0.2)}, TOP)
    told, other = of(indexed, 2, (3, 3, 1)), of(indexed, 2, (1, 1, 0))
    assert told.tilt_deg == pytest.approx(46.508, abs=1e-3)
    assert told.k_sigma == pytest.approx(0.508 / 0.2, abs=0.01)
    assert told.tilt_k < 0
    assert other.tilt_deg == pytest.approx(45.0)
    assert other.k_sigma == pytest.approx(5.0, abs=0.01)
    assert (told.dof, other.dof) == (1, 1)  # a single facet does not tell the crystal's azimuth
    assert math.isnan(told.azimuth_off_deg)
    assert told.probability > other.probability > of(indexed, 2, (3, 1, 1)).probability
    assert of(indexed, 2, None).probability > 0.05
    assert indexed.orientation.in_plane_deg.std is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 80), st.floats(0, 360), st.floats(0.05, 3)), min_size=1, max_size=5))
def test_probabilities_of_every_facet_add_up_to_one(facets: list[tuple[float, float, float]]) -> None:
    indexed = index({i: direction(*facet) for i, facet in enumerate(facets)}, Crystal(CU, (1, 0, 0)))
    for candidates in indexed.candidates.values():
        assert sum(each.probability for each in candidates) == pytest.approx(1.0)
        assert len(candidates) == len(families(CU, 3)) + 1


def octagon(azimuth_deg: float, std_deg: float, seed: int) -> dict[int, Direction]:
    """Four {110} and four {111} sides on a {100} top with errors of their deviation; [001] lies at the azimuth."""
    rng = np.random.default_rng(seed)
    sides = [(45.0, 0.0), (54.7356, 45.0)]
    return {
        2 + 2 * turn + kind: direction(
            tilt + rng.normal(0, std_deg),
            azimuth_deg + at + 90 * turn + rng.normal(0, std_deg) / math.sin(math.radians(tilt)),
            std_deg,
        )
        for turn in range(4) for kind, (tilt, at) in enumerate(sides)
    }  # fmt: skip


@pytest.mark.parametrize("top", [(1, 0, 0), None])
def test_slope_and_azimuth_together_index_an_octagon(top: Hkl | None) -> None:
    indexed = index(octagon(17.0, 0.1, 1), Crystal(CU, top))
    assert indexed.tops[0][0] == (1, 0, 0)
    assert indexed.tops[0][1] > 0.99
    for facet in indexed.candidates:
        assert best(indexed, facet) == ((1, 1, 0) if facet % 2 == 0 else (1, 1, 1))
        assert of(indexed, facet, best(indexed, facet)).dof == 2
    told = indexed.orientation
    assert told.turns == 4
    assert told.in_plane_deg.std is not None
    assert told.in_plane_deg.value == pytest.approx(17.0, abs=4 * told.in_plane_deg.std)


def test_the_orientations_deviation_covers_its_error() -> None:
    pulls, sums = [], []
    for seed in range(30):
        told = index(octagon(23.0, 0.3, seed), Crystal(CU, (1, 0, 0), orientation_std_deg=0.02)).orientation
        assert told.in_plane_deg.std is not None
        pulls.append((told.in_plane_deg.value - 23.0) / told.in_plane_deg.std)
        sums.append(told.chi2 / told.dof)
    assert 0.6 < float(np.sqrt(np.mean(np.square(pulls)))) < 1.4
    assert 0.8 < float(np.mean(sums)) < 1.25


def test_a_facet_of_the_right_slope_at_a_wrong_azimuth_is_none() -> None:
    facets = {**octagon(0.0, 0.1, 2), 20: direction(45.0, 27.0, 0.1)}
    indexed = index(facets, Crystal(CU, (1, 0, 0)))
    assert best(indexed, 20) is None
    wrong = of(indexed, 20, (1, 1, 0))
    assert abs(wrong.azimuth_off_deg) == pytest.approx(27.0, abs=0.3)
    assert wrong.k_sigma > 10
    assert abs(wrong.tilt_k) < 1


def test_the_prior_decides_between_planes_that_the_data_do_not_tell_apart() -> None:
    facet = {2: direction(45.75, 0.0, 0.75)}  # as far from {110} as from {331}
    low = index(facet, Crystal(CU, (1, 0, 0)))
    flat = index(facet, Crystal(CU, (1, 0, 0), prior_power=0.0))

    def ratio(indexed: Indexed) -> float:
        return of(indexed, 2, (1, 1, 0)).probability / of(indexed, 2, (3, 3, 1)).probability

    assert ratio(low) / ratio(flat) == pytest.approx(19 / 2, rel=1e-3)  # h² + k² + l² of {331} over that of {110}
    doubtful = index(facet, Crystal(CU, (1, 0, 0), none_prior=0.9))
    assert of(doubtful, 2, None).probability > of(low, 2, None).probability


def test_a_typed_azimuth_is_used() -> None:
    facet = {2: direction(45.5, 30.0, 0.3)}
    known = index(facet, Crystal(CU, (1, 0, 0), 30.0, 0.5))
    assert best(known, 2) == (1, 1, 0)
    other = index(facet, Crystal(CU, (1, 0, 0), 30.0 + 18.43, 0.5))
    assert best(other, 2) != (1, 1, 0)


def rotated_body(planes: Mapping[Hkl, float], top: Hkl, azimuth_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the upper side of a cubic body with planes at distances (nm), `top` up, turned about it."""
    turn = Rotation.from_euler("z", azimuth_deg, degrees=True).as_matrix() @ base_rotation(CU, top)
    normals = np.concatenate([family(CU, hkl).normals for hkl in planes]) @ turn.T
    distances = np.concatenate([np.full(len(family(CU, hkl).members), d) for hkl, d in planes.items()])
    return polyhedron(normals, distances), turn


@pytest.mark.parametrize(
    ("planes", "top", "azimuth"),
    [
        ({(1, 0, 0): 120.0, (1, 1, 1): 150.0}, (1, 0, 0), 31.0),  # a truncated cube
        ({(1, 1, 1): 100.0, (1, 0, 0): 140.0}, (1, 1, 1), 12.0),  # a truncated octahedron on a {111} plane
    ],
)
def test_a_turned_crystal_is_found_from_its_heights(planes: Mapping[Hkl, float], top: Hkl, azimuth: float) -> None:
    height, turn = rotated_body(planes, top, azimuth)
    height = np.maximum(height, height.max() - 150.0) + np.random.default_rng(0).normal(0, 0.3, height.shape)
    found = find(height)
    flat = min(
        found.numbers, key=lambda n: abs(found.planes[n, 1:]).max() + abs(found.planes[n, 0] - height.max()) / 1e3
    )
    indexed = index_found(found, flat, Crystal(CU))
    assert indexed.tops[0][0] == top
    sure = [best(indexed, n) for n in indexed.candidates if found.tilt(n, flat).quantity.value > 20]
    assert set(sure) <= set(planes)
    assert len(sure) >= 3
    fitted = indexed.orientation.rotation
    # The same up to one of the crystal's own rotations: a plane's normal goes to where some equivalent one is.
    there = family(CU, (1, 0, 0)).normals @ turn.T
    for normal in family(CU, (1, 0, 0)).normals @ fitted.T:
        assert np.degrees(np.arccos(np.clip((there @ normal).max(), -1, 1))) < 0.3
    rows = crystal_rows(indexed)
    assert set(rows["candidates"]) == {str(n) for n in indexed.candidates}


def test_k_sigma_is_that_of_the_same_chance() -> None:
    for chi2, expected in ((2.296, 1.0), (6.180, 2.0), (11.829, 3.0)):  # 68.27, 95.45 and 99.73 % of two values
        assert k_sigma(chi2) == pytest.approx(expected, abs=1e-3)
    assert k_sigma(0.0) == 0.0
    assert 90 < k_sigma(9000.0) < 95
