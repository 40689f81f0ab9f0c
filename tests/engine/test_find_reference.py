"""Reference objects are found in rendered images of known shape, in the cases and in real images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from eclips_app.core import schema
from eclips_app.core.calibration import Dark, Facets, FindReference, Flat, Indent, Observation, Sphere
from eclips_app.core.context import SilentContext
from eclips_app.core.detector import Detector, Segment, read_detector
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import StepResult, run_step
from eclips_app.engine.acceptance import vectors
from eclips_app.engine.calibration.find import complete
from eclips_app.engine.calibration.find_flat import largest_rectangle
from eclips_app.engine.calibration.regions import labels

AZIMUTHS = 10.0, 100.0, 190.0, 280.0


def detector(azimuths: tuple[float, ...] = AZIMUTHS) -> Detector:
    span = 340.0 / len(azimuths)
    return Detector(quadrants=tuple(Segment(f"S{k}", a, span, 1.0, 0.0) for k, a in enumerate(azimuths)))


def lit(height: np.ndarray, azimuths: tuple[float, ...] = AZIMUTHS, seed: int = 0, noise: float = 0.01) -> np.ndarray:
    """16-bit images of a height in pixels, with unequal gains and black levels that the detector file does not know."""
    down, right = np.gradient(height)
    normals = np.stack([-right, down, np.ones_like(height)]) / np.sqrt(1 + right**2 + down**2)
    a = vectors(detector(azimuths))
    signal = np.maximum(np.einsum("ki,irc->krc", a, normals), 0) / a[:, 2].mean()
    k = np.arange(len(azimuths))[:, None, None]
    grey = 2000 + 300 * k + 10_000 * (1 + 0.15 * k) * signal
    rng = np.random.default_rng(seed)
    return np.clip(grey * (1 + noise * rng.standard_normal(grey.shape)), 0, 65535).astype(np.uint16)


def grid(shape: tuple[int, int], row: float, column: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the right and up from a point."""
    rows, columns = np.indices(shape).astype(float)
    return columns - column, row - rows


def ball(shape: tuple[int, int], row: float, column: float, radius: float, outline: float | None = None) -> np.ndarray:
    """A cap on a flat; its foot has the radius `outline`."""
    x, y = grid(shape, row, column)
    foot = 0.9 * radius if outline is None else outline
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, radius**2 - foot**2))
    return z


def pit(shape: tuple[int, int], row: float, column: float, radius: float, rotation_deg: float) -> np.ndarray:
    x, y = grid(shape, row, column)
    angles = np.deg2rad(rotation_deg + 90.0 * np.arange(4))
    out = np.max([x * np.cos(a) + y * np.sin(a) for a in angles], axis=0)
    return np.tan(np.deg2rad(22.0)) * np.minimum(out - radius / 2**0.5, 0.0)


def find(images: np.ndarray, observation: Observation, by: Detector | None = None) -> tuple[Observation, StepResult]:
    inputs = {"segments": images}
    result = run_step("find-reference", inputs, FindReference(by or detector(), observation), SilentContext())
    return schema.load(Observation, result.info["observation"]), result


def found_sphere(images: np.ndarray, sphere: Sphere | None = None, **more: object) -> Sphere:
    found = find(images, Observation(sphere=sphere or Sphere(), **more))[0].sphere
    assert found is not None
    return found


def found_indent(images: np.ndarray, indent: Indent | None = None, by: Detector | None = None) -> Indent:
    found = find(images, Observation(indent=indent or Indent()), by)[0].indent
    assert found is not None
    return found


# Spheres


@settings(max_examples=6)
@given(row=st.floats(60, 130), column=st.floats(60, 170), radius=st.floats(40, 56))
def test_a_sphere_is_found_wherever_it_is(row: float, column: float, radius: float) -> None:
    found = found_sphere(lit(ball((200, 240), row, column, radius / 0.9)))
    assert found.center_px == pytest.approx((row, column), abs=0.4)
    assert found.radius_px == pytest.approx(radius, abs=1.0)


def test_a_whole_ball_with_a_neighbour_and_dust_cut_by_the_border() -> None:
    shape = (220, 260)
    height = np.maximum(ball(shape, 80.3, 70.8, 90.0, 88.0), ball(shape, 200.0, 220.0, 60.0, 58.0) + 5)
    images = lit(height)
    x, y = grid(shape, 100.0, 90.0)
    images[:, np.hypot(x, y) < 5] //= 3
    observation, result = find(images, Observation(sphere=Sphere()))
    assert observation.sphere is not None
    assert observation.sphere.center_px == pytest.approx((80.3, 70.8), abs=0.5)
    assert observation.sphere.radius_px == pytest.approx(88.0, abs=1.5)
    used = result.arrays["used"]
    assert used.shape == shape
    assert used.dtype == bool
    assert not used[np.hypot(x, y) < 5].any()
    assert used[60:75, 60:75].all()
    assert "row 80." in result.info["text"]


def test_pixels_of_a_sphere_reach_to_the_tilt_that_is_asked_for() -> None:
    images = lit(ball((200, 200), 100.0, 100.0, 80.0, 75.0))
    observation = Observation(sphere=Sphere(radius_nm=160.0, max_tilt_deg=40.0), pixel_size_nm=2.0)
    found, result = find(images, observation)
    x, y = grid((200, 200), 100.0, 100.0)
    distance = np.hypot(x, y)[result.arrays["used"]]
    assert distance.max() == pytest.approx(80 * np.sin(np.deg2rad(40)), abs=1.5)
    assert len(distance) > 0.97 * np.pi * (80 * np.sin(np.deg2rad(40))) ** 2
    assert found.sphere is not None
    assert found.sphere.radius_px == pytest.approx(75.0, abs=1.0)


def test_what_the_user_states_of_a_sphere_is_kept() -> None:
    images = lit(ball((200, 200), 100.0, 90.0, 70.0))
    found = found_sphere(images, Sphere(center_px=(101.25, 90.5)))
    assert found.center_px == (101.25, 90.5)
    assert found.radius_px == pytest.approx(63.0, abs=2.0)
    found = found_sphere(images, Sphere(radius_px=61.5))
    assert found.radius_px == 61.5
    assert found.center_px == pytest.approx((100.0, 90.0), abs=1.0)
    both = Sphere(center_px=(100.0, 90.0), radius_px=40.0)
    assert found_sphere(images, both) == both


def test_a_crop_and_shifts_change_no_coordinates() -> None:
    images = lit(ball((200, 240), 110.0, 120.0, 60.0))
    moved = np.stack([np.roll(image, (3 * k, -2 * k), (0, 1)) for k, image in enumerate(images)])
    shifts = tuple((-3.0 * k, 2.0 * k) for k in range(4))
    found = found_sphere(moved, crop=(20, 30, 190, 220), shifts_px=shifts)
    assert found.center_px == pytest.approx((110.0, 120.0), abs=0.3)


def test_segments_that_show_a_ball_in_different_places_are_moved_onto_each_other() -> None:
    height = ball((200, 240), 100.0, 120.0, 70.0, 69.0)
    images = lit(height)
    still, _ = find(images, Observation(sphere=Sphere()))
    assert still.shifts_px == ()
    moved = np.stack([np.roll(image, (3 * k, -2 * k), (0, 1)) for k, image in enumerate(images)])
    found, result = find(moved, Observation(sphere=Sphere()))
    np.testing.assert_allclose(found.shifts_px, [(-3 * k, 2 * k) for k in range(4)], atol=0.7)
    assert found.sphere is not None
    assert found.sphere.center_px == pytest.approx((100.0, 120.0), abs=0.7)
    assert "moved onto each other by up to 10" in result.info["text"]
    stated, _ = find(moved, Observation(sphere=Sphere(), shifts_px=((0.0, 0.0),) * 4))
    assert stated.shifts_px == ((0.0, 0.0),) * 4


@pytest.mark.parametrize("kind", ["noise", "flat", "steps", "pit", "pyramid"])
def test_no_sphere_is_an_error_that_says_so(kind: str) -> None:
    shape = (180, 200)
    x, _ = grid(shape, 90.0, 100.0)
    heights = {"steps": np.abs(x % 50 - 25), "pit": pit(shape, 90.0, 100.0, 70.0, 20.0)}
    heights["pyramid"] = -heights["pit"]
    images = lit(heights.get(kind, np.zeros(shape)), noise=0.3 if kind == "noise" else 0.01)
    with pytest.raises(EclipsError, match="no sphere was found"):
        found_sphere(images)


def test_a_hollow_instead_of_a_ball_is_an_error() -> None:
    with pytest.raises(EclipsError, match="shaded like a hollow"):
        found_sphere(lit(-ball((200, 200), 100.0, 100.0, 70.0)))


def test_an_outline_larger_than_the_stated_radius_is_an_error() -> None:
    images = lit(ball((200, 200), 100.0, 100.0, 70.0))
    with pytest.raises(EclipsError, match=r"more than the sphere's stated 100 nm"):
        found_sphere(images, Sphere(radius_nm=100.0), pixel_size_nm=2.0)


def test_a_saturated_sphere_is_an_error() -> None:
    images = np.minimum(lit(ball((200, 200), 100.0, 100.0, 80.0)), 11_000)
    with pytest.raises(EclipsError, match="clipped"):
        found_sphere(images, Sphere(center_px=(100.0, 100.0), radius_px=72.0))


def test_an_outline_beside_the_image_is_an_error() -> None:
    with pytest.raises(EclipsError, match="outside the image"):
        found_sphere(lit(ball((100, 100), 50.0, 50.0, 40.0)), Sphere(center_px=(500.0, 50.0), radius_px=30.0))


def test_limits_of_the_scale_are_found() -> None:
    images = lit(ball((200, 200), 100.0, 100.0, 80.0))
    high = int(np.percentile(images[3], 95))
    found, result = find(np.minimum(images, high), Observation(sphere=Sphere()))
    assert found.clip_high == high
    assert not result.arrays["used"][(images >= high).any(axis=0)].any()


# Indents


@settings(max_examples=6)
@given(row=st.floats(80, 120), column=st.floats(80, 160), radius=st.floats(45, 70), rotation=st.floats(-44, 44))
def test_an_indent_is_found_wherever_it_is(row: float, column: float, radius: float, rotation: float) -> None:
    found = found_indent(lit(pit((200, 240), row, column, radius, rotation)))
    assert found.center_px == pytest.approx((row, column), abs=0.25)
    assert found.radius_px == pytest.approx(radius, abs=0.5)
    assert found.rotation_deg == pytest.approx(rotation, abs=0.3)


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_sphere_is_found_in_noise(noise: float) -> None:
    found = found_sphere(lit(ball((200, 240), 90.3, 110.7, 65.0), noise=noise))
    assert found.center_px == pytest.approx((90.3, 110.7), abs=0.3)
    assert found.radius_px == pytest.approx(58.5, abs=0.6)


def test_three_segments_find_an_indent_in_strong_noise_with_dirt() -> None:
    azimuths = 210.0, 90.0, 330.0
    images = lit(pit((200, 200), 104.2, 96.7, 60.0, 38.0), azimuths, noise=0.15)
    images[:, 20:30, 150:160] = 0
    found = found_indent(images, by=detector(azimuths))
    assert found.center_px == pytest.approx((104.2, 96.7), abs=0.5)
    assert found.radius_px == pytest.approx(60.0, abs=1.0)
    assert found.rotation_deg == pytest.approx(38.0, abs=1.0)


def test_faces_are_numbered_from_the_one_whose_normal_has_the_rotation() -> None:
    images = lit(pit((200, 200), 100.0, 100.0, 70.0, 10.0))
    inputs = {"segments": images}
    wanted = Observation(indent=Indent(faces=(0, 2)))
    found = complete(wanted, inputs, detector(), SilentContext())
    area = labels(found, images.astype(np.float32), np.ones(images.shape, bool))
    assert set(np.unique(area)) == {-1, 0, 2}
    columns = np.nonzero(area == 0)[1]
    assert columns.mean() < 75  # the normal of face 0 points right, so that the face lies left
    assert not (area >= 0)[98:103, 98:103].any()


def test_what_the_user_states_of_an_indent_is_kept() -> None:
    images = lit(pit((200, 200), 100.0, 95.0, 60.0, 10.0))
    found = found_indent(images, Indent(rotation_deg=100.5))
    assert found.rotation_deg == 100.5
    assert found.center_px == pytest.approx((100.0, 95.0), abs=0.5)
    found = found_indent(images, Indent(center_px=(100.5, 95.0)))
    assert found.center_px == (100.5, 95.0)
    assert found.rotation_deg == pytest.approx(10.0, abs=1.0)
    whole = Indent(center_px=(1.0, 2.0), radius_px=30.0, rotation_deg=200.0)
    with pytest.raises(EclipsError, match="too few pixels"):
        found_indent(images, whole)


def test_a_saturated_face_is_an_error() -> None:
    images = lit(pit((200, 200), 100.0, 95.0, 60.0, 10.0))
    high = int(np.percentile(images[3], [50, 99]).mean())  # between the level surface and the brightest face
    with pytest.raises(EclipsError, match="too few pixels of the face toward"):
        found_indent(np.minimum(images, high))


@pytest.mark.parametrize("kind", ["noise", "flat", "steps", "ball"])
def test_no_indent_is_an_error_that_says_so(kind: str) -> None:
    shape = (180, 200)
    x, _ = grid(shape, 90.0, 100.0)
    heights = {"steps": np.abs(x % 50 - 25), "ball": ball(shape, 90.0, 100.0, 70.0)}
    images = lit(heights.get(kind, np.zeros(shape)), noise=0.3 if kind == "noise" else 0.01)
    with pytest.raises(EclipsError, match="no indent was found"):
        found_indent(images)


def test_images_in_the_wrong_order_are_an_error() -> None:
    images = lit(pit((200, 200), 100.0, 95.0, 60.0, 10.0))[[2, 3, 0, 1]]
    with pytest.raises(EclipsError, match="lean 180 degrees off"):
        found_indent(images)


# Flats and facets


def test_the_even_part_of_an_image_is_the_flat() -> None:
    height = 6 * scipy.ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(200, 240)), 2.0)
    height[60:180, 40:200] = 0.0
    found, result = find(lit(height), Observation(flat=Flat()))
    assert found.flat is not None
    top, left, bottom, right = found.flat.area
    assert 55 <= top < 80
    assert 160 < bottom <= 185
    assert 35 <= left < 60
    assert 180 < right <= 205
    assert result.arrays["used"][top:bottom, left:right].mean() > 0.9


def test_no_flat_is_an_error() -> None:
    rough = np.random.default_rng(1).normal(size=(160, 160)) * 2
    with pytest.raises(EclipsError, match="no flat area was found"):
        find(lit(rough), Observation(flat=Flat()))


def pyramid(shape: tuple[int, int] = (240, 240)) -> np.ndarray:
    """Three square steps with sides of 45 degrees, 14 px wide."""
    x, y = grid(shape, 119.5, 119.5)
    out = np.maximum(np.abs(x), np.abs(y))
    return -sum(np.clip(out - start, 0, 14) for start in (30.0, 60.0, 90.0))


def test_facets_of_a_pyramid_and_their_azimuths() -> None:
    observation = Observation(facets=Facets(tilt_deg=45.0))
    found, result = find(lit(pyramid()), observation)
    assert found.facets is not None
    azimuths = np.array(found.facets.azimuths_deg)
    assert len(azimuths) == 12
    assert np.abs((azimuths + 45) % 90 - 45).max() < 3
    down, right = np.gradient(pyramid())
    assert (np.hypot(down, right)[result.arrays["used"]] > 0.9).all()
    for (top, left, bottom, right_end), azimuth in zip(found.facets.areas, azimuths, strict=True):
        row, column = (top + bottom) // 2, (left + right_end) // 2
        at = np.rad2deg(np.arctan2(119.5 - row, column - 119.5))
        assert abs((azimuth - at + 180) % 360 - 180) < 40


def test_given_areas_get_their_azimuths() -> None:
    wanted = Observation(facets=Facets(areas=((100, 151, 140, 162),), tilt_deg=45.0))
    found, _ = find(lit(pyramid()), wanted)
    assert found.facets is not None
    assert found.facets.areas == wanted.facets.areas  # type: ignore[union-attr]
    assert found.facets.azimuths_deg == pytest.approx((0.0,), abs=6.0)
    with pytest.raises(EclipsError, match="outside the image"):
        find(lit(pyramid()), Observation(facets=Facets(areas=((300, 300, 320, 320),))))


def test_no_facets_is_an_error() -> None:
    rough = 10 * scipy.ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(160, 160)), 3.0)
    with pytest.raises(EclipsError, match="no facets were found"):
        find(lit(rough), Observation(facets=Facets()))
    with pytest.raises(EclipsError, match="no facets were found"):
        find(lit(np.zeros((160, 160))), Observation(facets=Facets()))


class Stopping(SilentContext):
    """A context whose user stops after a number of looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Cancelled


@pytest.mark.parametrize("looks", [0, 3, 200])
def test_the_user_can_stop_it(looks: int) -> None:
    images = lit(ball((200, 240), 100.0, 120.0, 70.0))
    params = FindReference(detector(), Observation(sphere=Sphere(radius_px=63.0) if looks < 200 else Sphere()))
    with pytest.raises(Cancelled):
        run_step("find-reference", {"segments": images}, params, Stopping(min(looks, 40)))


def test_the_largest_rectangle_of_a_mask() -> None:
    mask = np.zeros((7, 9), bool)
    mask[1:4, 2:8] = mask[1:7, 5] = True
    assert largest_rectangle(mask) == (1, 2, 4, 8)
    assert largest_rectangle(np.zeros((3, 3), bool)) == (0, 0, 0, 0)


# Other kinds


def test_a_dark_frame_uses_all_its_pixels_and_no_kind_is_an_error() -> None:
    images = lit(np.zeros((40, 50)))
    _, result = find(images, Observation(dark=Dark()))
    assert result.arrays["used"].all()
    with pytest.raises(EclipsError, match="no kind of object"):
        find(images, Observation())


# Cases and real images


def case(shared_data: Path, name: str) -> tuple[np.ndarray, Detector]:
    folder = shared_data / "cases" / name
    return tifffile.imread(folder / "quadrants.tif"), read_detector(folder / "detector.json")


@pytest.mark.parametrize(("name", "outline"), [("nonlambert_sphere", 96.8), ("copper10_sphere", 111.3)])
def test_the_cap_of_a_case(shared_data: Path, name: str, outline: float) -> None:
    images, by = case(shared_data, name)
    found, result = find(images, Observation(sphere=Sphere(), pixel_size_nm=2.0), by)
    assert found.sphere is not None
    assert found.sphere.center_px == pytest.approx((75.91, 66.47), abs=0.2)
    assert found.sphere.radius_px == pytest.approx(outline, abs=0.8)
    assert result.arrays["used"].sum() > 15_000


def test_the_indent_of_a_case(shared_data: Path) -> None:
    images, by = case(shared_data, "copper10_vickers")
    found = found_indent(images, by=by)
    normals = np.load(shared_data / "cases" / "copper10_vickers" / "truth.npz")["normals"]
    inputs = {"segments": images}
    area = labels(
        complete(Observation(indent=Indent()), inputs, by, SilentContext()), images * np.float32(1), images > 0
    )
    for face in range(4):
        x, y, z = normals[:, area == face]
        turn = np.rad2deg(np.arctan2(y.mean(), x.mean()))
        assert abs((turn - (found.rotation_deg or 0) - 90 * face + 180) % 360 - 180) < 0.3
        assert np.rad2deg(np.arccos(z)) == pytest.approx(22.0, abs=0.3)


def test_the_facets_of_a_case(shared_data: Path) -> None:
    images, by = case(shared_data, "steps46")
    found, _ = find(images, Observation(facets=Facets(tilt_deg=46.0)), by)
    assert found.facets is not None
    normals = np.load(shared_data / "cases" / "steps46" / "truth.npz")["normals"]
    area = labels(found, images.astype(np.float32), images > 0)
    for number, azimuth in enumerate(found.facets.azimuths_deg):
        x, y, z = normals[:, area == number].mean(axis=1)
        assert azimuth == pytest.approx(np.rad2deg(np.arctan2(y, x)), abs=2.0)
        assert np.rad2deg(np.arctan2(np.hypot(x, y), z)) == pytest.approx(46.5, abs=2.0)


def test_a_real_indent_with_three_segments(shared_data: Path) -> None:
    files = sorted((shared_data / "data" / "4q" / "fei_abs3_vickers").glob("*.tif"))
    images = np.stack([tifffile.imread(file) for file in files])
    observation = Observation(indent=Indent(), pixel_size_nm=65.1, crop=(0, 0, 1024, 1536))
    found, result = find(images, observation, detector((210.0, 90.0, 330.0)))
    assert found.indent is not None
    assert found.indent.center_px == pytest.approx((512.0, 768.0), abs=4)
    assert found.indent.radius_px == pytest.approx(148.0, abs=5)
    assert found.indent.rotation_deg == pytest.approx(39.0, abs=2)
    assert result.arrays["used"].sum() > 10_000


def test_a_real_sphere(shared_data: Path) -> None:
    files = sorted((shared_data / "data" / "4q" / "zeiss_qbsd_sphere").glob("*.tif"))
    images = np.stack([tifffile.imread(file) for file in files])
    found, result = find(images, Observation(sphere=Sphere()), detector((-100.0, 163.0, 82.0, -1.0)))
    assert found.sphere is not None
    assert found.sphere.center_px == pytest.approx((334.0, 492.0), abs=2)
    assert found.sphere.radius_px == pytest.approx(293.5, abs=2)
    assert result.arrays["used"].sum() > 150_000


def test_stating_the_result_gives_the_same_pixels() -> None:
    images = lit(ball((200, 200), 100.0, 90.0, 70.0))
    found, first = find(images, Observation(sphere=Sphere()))
    again, second = find(images, replace(found, name="again"))
    assert again.sphere == found.sphere
    assert np.array_equal(first.arrays["used"], second.arrays["used"])
