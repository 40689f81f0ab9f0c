from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.scene3d import arrays


def test_points_stand_in_the_specimen_frame() -> None:
    height = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    mesh = arrays.mesh(arrays.height_field(height, (10.0, 20.0)), 1)
    # x right from the middle, y up, z from the middle of 1 to 7 nm; first point at the top left.
    np.testing.assert_allclose(mesh.points[0], [-10, 10, -3])
    np.testing.assert_allclose(mesh.points[-1], [10, -10, 3])
    np.testing.assert_allclose(mesh.texture_coordinates[0], [0.5 / 3, 0.25])
    assert mesh.triangles.shape == (4, 3)


def test_triangles_face_up() -> None:
    mesh = arrays.mesh(arrays.height_field(np.zeros((3, 4)), 1.0), 1)
    a, b, c = (mesh.points[mesh.triangles[:, i]].astype(float) for i in range(3))
    normals = np.cross(b - a, c - a)
    np.testing.assert_allclose(normals, np.tile([0, 0, 1], (12, 1)))


def test_scene_and_pixels_are_inverse() -> None:
    field = arrays.height_field(np.arange(12.0).reshape(3, 4), (2.0, 3.0))
    there = field.to_scene(np.array(1.25), np.array(0.5), np.array(4.0)).astype(float)
    np.testing.assert_allclose(field.from_scene(there), [1.25, 0.5, 4.0], rtol=1e-6)


def test_slopes_of_a_plane_are_its_slopes_even_beside_holes_and_edges() -> None:
    row, col = np.mgrid[0:7, 0:9]
    height = 3.0 * col - 1.5 * row  # 2 nm pixels: dh/dx = 1.5, dh/dy = 0.75 with y up
    height[2:4, 3] = np.nan
    slopes = arrays.slopes(arrays.height_field(height, 2.0))
    known = np.isfinite(height)
    np.testing.assert_allclose(slopes[known, 0], 1.5, rtol=1e-6)
    np.testing.assert_allclose(slopes[known, 1], 0.75, rtol=1e-6)
    np.testing.assert_array_equal(slopes[..., 2], known)


def test_a_known_pixel_without_neighbours_has_no_slope() -> None:
    height = np.full((3, 3), np.nan)
    height[1, 1] = 5.0
    np.testing.assert_array_equal(arrays.slopes(arrays.height_field(height, 1.0))[1, 1], [0, 0, 1])


def test_unknown_pixels_have_no_triangles() -> None:
    height = np.zeros((5, 5))
    valid = np.ones((5, 5), bool)
    height[2, 2] = np.inf
    valid[0, 0] = False
    mesh = arrays.mesh(arrays.height_field(height, 1.0, valid), 1)
    # 32 triangles; the inner pixel has 6, the corner where the diagonal ends 2.
    assert len(mesh.triangles) == 32 - 6 - 2
    assert not np.isin(mesh.triangles, [0, 12]).any()
    assert np.isfinite(mesh.points).all()


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(2, 40), columns=st.integers(2, 40), stride=st.sampled_from([1, 2, 4, 8, 16, 64]))
def test_every_stride_covers_the_whole_map(rows: int, columns: int, stride: int) -> None:
    height = np.add.outer(np.arange(rows) * 2.0, np.arange(columns))
    mesh = arrays.mesh(arrays.height_field(height, 1.0), stride)
    np.testing.assert_allclose(np.ptp(mesh.points, axis=0), [columns - 1, rows - 1, np.ptp(height)])
    a, b, c = (mesh.points[mesh.triangles[:, i]].astype(float) for i in range(3))
    area = 0.5 * np.cross(b - a, c - a)[:, 2].sum()
    assert area == pytest.approx((rows - 1) * (columns - 1))


def test_a_coarse_mesh_lets_scattered_holes_not_grow() -> None:
    height = np.full((33, 33), 6.0)
    height[::8, ::8] = np.nan  # every point of the coarse mesh is unknown
    mesh = arrays.mesh(arrays.height_field(height, 1.0), 8)
    assert len(mesh.triangles) == 32
    np.testing.assert_allclose(mesh.points[:, 2], 0.0)


def test_new_heights_are_those_of_a_new_mesh() -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 20, 30))
    field = arrays.height_field(second, 1.0)
    for stride in (1, 4):
        assert arrays.heights_of(field, stride).tolist() == arrays.mesh(field, stride).points[:, 2].tolist()
        assert len(arrays.mesh(arrays.height_field(first, 1.0), stride).points) == len(arrays.heights_of(field, stride))


def test_large_offsets_keep_small_steps() -> None:
    height = np.full((4, 4), 1.0e6)
    height[2:] += 0.5
    mesh = arrays.mesh(arrays.height_field(height, 1.0), 1)
    assert np.ptp(mesh.points[:, 2]) == pytest.approx(0.5, abs=0.07)  # float32 heights at 1 mm resolve 0.06 nm


@pytest.mark.parametrize(
    ("height", "size", "valid", "words"),
    [
        (np.zeros((1, 5)), 1.0, None, "2 x 2"),
        (np.zeros((2, 3, 4)), 1.0, None, "2 x 2"),
        (np.zeros((4, 4)), 0.0, None, "above zero"),
        (np.zeros((4, 4)), float("nan"), None, "above zero"),
        (np.zeros((4, 4)), 1.0, np.ones((4, 5), bool), "mask"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(height: object, size: float, valid: object, words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        arrays.height_field(height, size, valid)  # type: ignore[arg-type]
