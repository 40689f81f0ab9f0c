"""Sets of segment images: grouping, crop, clipping, pixel size and azimuths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadSegments, StepResult, run_step
from eclips_app.io.clipping import clip_levels, clipped_fraction, common_levels
from eclips_app.io.databar import find_data_bar
from eclips_app.io.guess import guess_azimuths
from eclips_app.io.labels import directions_deg, label_texts, not_a_segment, numbers_and_labels
from eclips_app.io.readers import read_file
from eclips_app.io.scale_bar import find_scale_bar
from eclips_app.io.segments import sets_from_result
from eclips_app.io.shading import guess_from_shading

#: Azimuths (0 right, 90 up) regressed on the normals of a sphere, from the notes on the real files.
QUANTA = (-172, 2, 91, -85)
REAL_SETS = [
    ("quanta_4q_sphere", "*.tif", QUANTA, (943, 1024), (0, 884), None),
    ("quanta_4q_steppyramid", "*.tif", QUANTA, (943, 1024), (0, 884), None),
    ("quanta_4q_rough_V", "*.tif", QUANTA, (943, 1024), (0, 884), None),
    ("zeiss_qbsd_sphere", "*.tif", (-100, 163, 82, -1), (768, 1024), (0, 673), 457.0198),
    ("quanta_8seg_Ta_sphere", "*_*D*.jpg", (91, 89, -83, -86, -174, -171, 0, 3), (943, 1024), (0, 884), None),
    ("fei_abs3_vickers", "*.tif", (-150, 90, -30), (1103, 1536), (0, 1024), 65.1042),
]


def read(*paths: Path, segments: int = 0) -> StepResult:
    params = ReadSegments(paths=tuple(str(p) for p in paths), segments=segments)
    return run_step("read-segments", {}, params, SilentContext())


def worst_deg(found: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Largest difference of azimuths, in degrees, up to turning all of them by 180 degrees."""
    apart = (found - truth + 180.0) % 360.0 - 180.0
    turned = (found - truth) % 360.0 - 180.0
    return float(min(np.abs(apart).max(), np.abs(turned).max()))


def rendered(azimuths_deg: NDArray[np.float64], seed: int = 3) -> list[NDArray[np.uint16]]:
    """Render a smooth random relief by the linear model, [row, col] with y up, for segments at the azimuths."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:120, 0:150]
    height = np.zeros(rows.shape)
    for _ in range(24):
        at = rng.uniform((0, 0), rows.shape)
        width = rng.uniform(8, 20)
        height += rng.normal() * width * np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / (2 * width**2))
    down, p = np.gradient(height)
    q = -down
    angles = np.radians(azimuths_deg)
    return [np.round(4000 - 1500 * (p * np.cos(a) + q * np.sin(a))).astype(np.uint16) for a in angles]


# Real sets


@pytest.mark.parametrize(("folder", "pattern", "truth", "shape", "rows", "pixel_nm"), REAL_SETS)
def test_real_sets(
    shared_data: Path, folder: str, pattern: str, truth: tuple[float, ...], shape: tuple[int, int],
    rows: tuple[int, int], pixel_nm: float | None,
) -> None:  # fmt: skip
    result = read(*sorted((shared_data / "data" / "4q" / folder).glob(pattern)))
    info = json.loads(json.dumps(result.info))
    azimuths = np.array([a["azimuth_deg"] for a in info["azimuths"]])
    assert worst_deg(azimuths, np.array(truth, float)) < 25.0
    assert all(a["source"] == "shading" and a["confidence"] > 0.4 for a in info["azimuths"])
    assert info["crop"] == [rows[0], 0, rows[1], shape[1]]
    assert info["pixel_size_nm"] == (None if pixel_nm is None else pytest.approx(pixel_nm, rel=1e-5))
    assert info["pixel_size_source"] == ("metadata" if pixel_nm else "")
    (found,) = sets_from_result(result)
    assert found.shape == shape
    assert len(found.images) == len(truth)
    assert found.crop == (rows[0], 0, rows[1], shape[1])


def test_clipping_of_the_vickers_set(shared_data: Path) -> None:
    info = read(*sorted((shared_data / "data" / "4q" / "fei_abs3_vickers").glob("*.tif"))).info
    assert (info["clip_low"], info["clip_high"]) == (0.0, 65535.0)
    assert 1e-4 < max(info["clipped_fraction"]) < 5e-3
    assert [image["name"] for image in info["images"]] == ["A", "B", "C"]


def test_odd_file_of_a_folder_is_named(shared_data: Path) -> None:
    folder = shared_data / "data" / "4q" / "quanta_8seg_Ta_sphere"
    with pytest.raises(EclipsError, match=r"lab_notes_1\.jpg: has 1100 x 1467 pixels"):
        read(*sorted(folder.glob("*.jpg")))


def test_other_detectors_and_differences_are_left_out(shared_data: Path) -> None:
    folder = shared_data / "data" / "4q" / "quanta_piezoceramic"
    names = ("25_SE", "26_D5", "27_D8", "28_D5-D8", "29_D5+D8", "34_D1", "35_D4")
    result = read(*(folder / f"{name}.jpg" for name in names))
    assert [image["name"] for image in result.info["images"]] == ["D5", "D8", "D1", "D4"]
    assert sum("left out" in warning for warning in result.info["warnings"]) == 3
    assert any("lossy" in warning for warning in result.info["warnings"])


@pytest.mark.parametrize("name", ["FEI_Helios_Elstar_ETD_tomo_mapper.tif", "FEI_Scios_CBS_xml_dataZeroed.tif"])
def test_no_bar_where_there_is_none(shared_data: Path, name: str) -> None:
    assert find_data_bar(read_file(shared_data / "data" / "sem_meta" / name).images[0]) is None


def test_cropped_real_images_are_not_cut_again(shared_data: Path) -> None:
    for path in sorted((shared_data / "data" / "4q").rglob("*.[tj][ip][fg]")):
        image = read_file(path).images[0]
        bar = find_data_bar(image)
        above = image[: bar[0]] if bar else image
        assert find_data_bar(above) is None, path.name
        assert find_data_bar(above[: above.shape[0] // 2]) is None, path.name


@pytest.mark.parametrize(
    ("name", "length_px", "length_nm", "pixel_nm"),
    [
        ("sem_meta/FEI_Quanta_LFD_quanta_image.tif", 226, 100e3, 441.942),
        ("sem_meta/test_tiff_Zeiss_SEM_1k.tif", 76, 200e3, 2614.5),
        ("4q/zeiss_qbsd_sphere/S1.tif", 44, 20e3, 457.02),
        ("4q/fei_abs3_vickers/Indent_20230912_7kV_spot4.5_FOV100um_multiBSE_A_05.tif", 614, 40e3, 65.104),
        ("4q/quanta_8seg_Ta_sphere/01_D1.jpg", 308, 100e3, 324.7),
    ],
)
def test_scale_bars(shared_data: Path, name: str, length_px: int, length_nm: float, pixel_nm: float) -> None:
    image = read_file(shared_data / "data" / name).images[0]
    bar = find_data_bar(image)
    assert bar is not None
    found = find_scale_bar(image, bar)
    assert found is not None
    assert found.length_px == length_px
    assert length_nm / found.length_px == pytest.approx(pixel_nm, rel=0.01)


# Grouping


def save(folder: Path, names: list[str], images: list[NDArray[np.uint16]]) -> list[Path]:
    paths = [folder / f"{name}.tif" for name in names]
    for path, image in zip(paths, images, strict=True):
        tifffile.imwrite(path, image, photometric="minisblack")
    return paths


FOUR = np.array([0.0, 90.0, 180.0, 270.0])


def test_one_stack_is_one_set(tmp_path: Path) -> None:
    images = rendered(FOUR)
    (path,) = save(tmp_path, ["scan"], [np.stack(images)])
    (found,) = sets_from_result(read(path))
    assert found.name == "scan"
    assert [image.page for image in found.images] == [0, 1, 2, 3]
    assert all(np.array_equal(a.data, b) for a, b in zip(found.images, images, strict=True))
    assert found.pixel_size_nm is None


def test_files_keep_the_order_given(tmp_path: Path) -> None:
    images = rendered(FOUR)
    paths = save(tmp_path, ["a_E", "a_N", "a_W", "a_S"], images)
    result = read(*paths[::-1])
    assert [image["name"] for image in result.info["images"]] == ["S", "W", "N", "E"]
    assert [a["azimuth_deg"] for a in result.info["azimuths"]] == [270.0, 180.0, 90.0, 0.0]
    assert {a["source"] for a in result.info["azimuths"]} == {"name"}
    assert all(a["confidence"] > 0.9 for a in result.info["azimuths"])
    assert result.info["warnings"] == []


def test_wrong_names_are_contradicted_by_the_shading(tmp_path: Path) -> None:
    paths = save(tmp_path, ["right", "top", "left", "bottom"], [rendered(FOUR)[k] for k in (0, 2, 1, 3)])
    info = read(*paths).info
    assert any("another order" in warning for warning in info["warnings"])
    assert all(a["confidence"] < 0.5 for a in info["azimuths"])
    assert {g["source"] for g in info["azimuths"][0]["guesses"]} == {"name", "shading"}


def test_numbered_files_are_a_series(tmp_path: Path) -> None:
    images = rendered(FOUR)
    names = [f"run_t{t:02d}_{letter}" for letter in "ABCD" for t in (10, 9)]
    paths = save(tmp_path, names, [images[k] + np.uint16(t) for k in range(4) for t in (10, 9)])
    frames = sets_from_result(read(*paths))
    assert len(frames) == 2
    assert [image.name for image in frames[0].images] == list("ABCD")
    assert all(np.array_equal(frames[0].images[k].data, images[k] + np.uint16(9)) for k in range(4))
    assert frames[0].name.endswith("1/2")
    assert frames[0].id != frames[1].id


def test_one_file_for_each_segment_with_many_pages(tmp_path: Path) -> None:
    images = rendered(FOUR)
    stacks = [np.stack([image + np.uint16(t) for t in range(5)]) for image in images]
    frames = sets_from_result(read(*save(tmp_path, ["Q1", "Q2", "Q3", "Q4"], stacks)))
    assert len(frames) == 5
    assert np.array_equal(frames[3].images[2].data, images[2] + np.uint16(3))


def test_numbered_stacks_and_a_5d_stack(tmp_path: Path) -> None:
    images = np.stack(rendered(FOUR))
    frames = sets_from_result(read(*save(tmp_path, ["f2", "f10"], [images, images + np.uint16(1)])))
    assert [frame.images[0].data[0, 0] - images[0, 0, 0] for frame in frames] == [0, 1]
    tifffile.imwrite(tmp_path / "5d.tif", np.stack([images] * 3)[:, None], imagej=True, metadata={"axes": "TZCYX"})
    result = read(tmp_path / "5d.tif")
    assert result.info["frames"] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_long_stack_needs_the_number_of_segments(tmp_path: Path) -> None:
    images = rendered(FOUR)
    (path,) = save(tmp_path, ["long"], [np.stack(images * 3)])
    with pytest.raises(EclipsError, match=r"long\.tif: which of its 12 images"):
        read(path)
    assert len(sets_from_result(read(path, segments=4))) == 3


def test_what_is_no_set(tmp_path: Path) -> None:
    images = rendered(FOUR)
    paths = save(tmp_path, ["A", "B", "C", "D"], images)
    with pytest.raises(EclipsError, match="2 images are too few"):
        read(*paths[:2])
    with pytest.raises(EclipsError, match="no image files"):
        read()
    with pytest.raises(EclipsError, match=r"A\.tif: the file was given twice"):
        read(paths[0], *paths)
    tifffile.imwrite(paths[1], images[1][:-1])
    with pytest.raises(EclipsError, match=r"B\.tif: has 150 x 119 pixels, but A\.tif has 150 x 120"):
        read(*paths)
    tifffile.imwrite(paths[1], images[1].astype(np.float32))
    with pytest.raises(EclipsError, match=r"B\.tif: holds float32 values"):
        read(*paths)


def test_pixel_sizes_that_disagree_are_not_used(tmp_path: Path) -> None:
    images = rendered(FOUR)
    for letter, image, size in zip("ABCD", images, (2.0, 2.0, 2.0, 2.5), strict=True):
        tifffile.imwrite(tmp_path / f"{letter}.tif", image, metadata={"pixel_size_nm": size})
    info = read(*sorted(tmp_path.glob("*.tif"))).info
    assert info["pixel_size_nm"] is None
    assert any("different pixel sizes" in warning and "D.tif" in warning for warning in info["warnings"])


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("VA", "VB", "VC", "VD"), ("A", "B", "C", "D")),
        (("01_D1", "02_D2", "13_D5"), ("D1", "D2", "D5")),
        (("x_A_05", "x_B_05", "x_C_05"), ("A", "B", "C")),
        (("i-left", "i-right", "i-top"), ("left", "right", "top")),
        (("quadE", "quadN", "quadW"), ("E", "N", "W")),
        (("one", "two", "three"), ("", "", "")),
        (("a1b", "c d", "e"), ("", "", "")),
    ],
)
def test_labels_in_names(names: tuple[str, ...], labels: tuple[str, ...]) -> None:
    assert label_texts(names) == labels


def test_meaning_of_labels() -> None:
    assert directions_deg(("E", "N", "W", "S")) == (0.0, 90.0, 180.0, 270.0)
    assert directions_deg(("R", "T", "L", "B")) == (0.0, 90.0, 180.0, 270.0)
    assert directions_deg(("A", "B", "C", "D")) is None
    assert directions_deg(("S1", "S2", "S3")) is None
    assert numbers_and_labels(("01_A", "02_B", "03_C")) is None
    assert not_a_segment(Path("x_SE.tif"))
    assert not not_a_segment(Path("t1-q2.tif"))


@given(st.lists(st.text(max_size=12), min_size=1, max_size=12))
def test_any_names_can_be_looked_at(names: list[str]) -> None:
    assert len(label_texts(names)) == len(names)
    grid = numbers_and_labels(names)
    assert grid is None or len(grid[0]) == len(names)


# Shading


@pytest.mark.parametrize("count", [3, 4, 5, 8])
@pytest.mark.parametrize("clockwise", [1.0, -1.0])
@pytest.mark.parametrize("start", [0.0, 37.0])
def test_azimuths_from_shading(count: int, clockwise: float, start: float) -> None:
    truth = start + clockwise * np.arange(count) * 360.0 / count
    found = guess_from_shading(rendered(truth))
    assert found is not None
    assert found.order > 0.8
    assert worst_deg(np.array(found.azimuths_deg), truth) < 5.0


def test_shading_survives_gain_drift_and_composition() -> None:
    images = rendered(FOUR)
    shape = images[0].shape
    composition = np.where(np.hypot(*(np.mgrid[: shape[0], : shape[1]] - 60)) < 30, 1.6, 1.0)
    gains, shifts = (1.0, 1.7, 0.8, 1.2), ((0, 0), (2, -1), (-1, 3), (1, 1))
    changed = [np.roll(g * composition * im, s, (0, 1)) for im, g, s in zip(images, gains, shifts, strict=True)]
    found = guess_from_shading(changed)
    assert found is not None
    assert worst_deg(np.array(found.azimuths_deg), FOUR) < 15.0


def test_dark_hollows_give_the_sign() -> None:
    for sign in (1.0, -1.0):
        rows, columns = np.mgrid[0:120, 0:150]
        hill = np.exp(-((rows - 60.0) ** 2 + (columns - 75.0) ** 2) / 800.0)
        down, p = np.gradient(sign * 20 * hill)
        directions = np.radians(FOUR)
        images = [(1 + 0.3 * sign * hill) * (1000 - 400 * (p * np.cos(a) - down * np.sin(a))) for a in directions]
        found = guess_from_shading(images)
        assert found is not None
        apart = (np.array(found.azimuths_deg) - FOUR + 180.0) % 360.0 - 180.0
        assert np.abs(apart).max() < 25.0  # turned by 180 degrees with the wrong sign
        assert found.sign > 0.6


def test_straight_grooves_and_flats_do_not_tell_the_order() -> None:
    columns = np.tile(np.arange(150.0), (120, 1))
    groove = np.cos(columns / 6)
    found = guess_from_shading([1000 - 200 * groove * np.cos(a) for a in np.radians(FOUR)])
    assert found is None or found.order < 0.2
    flat = guess_azimuths([np.full((60, 60), 100, np.uint8)] * 3, ("",) * 3, ("",) * 3)
    assert [guess.azimuth_deg for guess in flat.chosen] == [0.0, 120.0, 240.0]
    assert {guess.source for guess in flat.chosen} == {"order"}
    assert all(guess.confidence < 0.1 for guess in flat.chosen)


# Clipping and data bars


def test_clipping_by_a_spike_and_at_the_limit() -> None:
    rng = np.random.default_rng(1)
    signal = rng.normal(100.0, 30.0, (200, 200))
    assert clip_levels(np.clip(signal, 0, 255).astype(np.uint8) // 2 + 40) == (None, None)
    twelve_bit = np.clip(signal * 30 + 1500, 0, 4095).astype(np.uint16)
    low, high = clip_levels(twelve_bit)
    assert (low, high) == (None, 4095.0)
    assert clipped_fraction(twelve_bit, low, high) == pytest.approx(np.mean(twelve_bit == 4095))
    assert clip_levels(np.maximum(signal, 80.0))[0] == 80.0
    assert clip_levels(rng.poisson(2.0, (200, 200)).astype(np.uint16)) == (None, None)  # a true zero is no clipping


@given(st.lists(st.tuples(st.none() | st.floats(0, 50), st.none() | st.floats(60, 100)), min_size=1, max_size=8))
def test_common_levels_are_on_the_safe_side(levels: list[tuple[float | None, float | None]]) -> None:
    low, high = common_levels(levels)
    assert all(x is None or (low is not None and low >= x) for x, _ in levels)
    assert all(x is None or (high is not None and high <= x) for _, x in levels)


def with_bar(image: NDArray[np.uint8], background: int, seed: int) -> NDArray[np.uint8]:
    """Draw 40 rows of made-up letters under an image."""
    rng = np.random.default_rng(seed)
    bar = np.full((40, image.shape[1]), background, np.uint8)
    for left in range(10, image.shape[1] - 16, 16):
        bar[8:20, left : left + 10] = np.where(rng.random((12, 10)) < 0.5, 255 - background, background)
    return np.vstack([image, bar])


@pytest.mark.parametrize("background", [0, 255])
def test_bar_is_found_to_the_row(background: int) -> None:
    image = np.random.default_rng(2).normal(120, 30, (300, 400)).clip(1, 254).astype(np.uint8)
    assert find_data_bar(with_bar(image, background, 0)) == (300, 340)
    below = np.vstack([with_bar(image, background, 0), image[:20]])  # SmartSEM leaves some image under the bar
    assert find_data_bar(below) == (300, 340)


def test_dark_and_saturated_images_are_not_cut() -> None:
    rng = np.random.default_rng(4)
    particles = np.zeros((300, 400))
    for row, column in rng.uniform((0, 0), (300, 400), (150, 2)):
        particles += 250 * np.exp(-((np.arange(300)[:, None] - row) ** 2 + (np.arange(400) - column) ** 2) / 20)
    dark = particles.clip(0, 255).astype(np.uint8)
    edge = np.vstack([rng.normal(150, 20, (240, 400)).clip(0, 255).astype(np.uint8), dark[:60]])
    for image in (
        dark,
        255 - dark,
        edge,
        np.zeros((300, 400), np.uint8),
        np.tile(np.arange(256, dtype=np.uint8), (300, 1)),
    ):
        assert find_data_bar(image) is None
