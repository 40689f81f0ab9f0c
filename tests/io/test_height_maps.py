"""Height maps from files: heights in nm, row 0 at the top, pixel size from the file, and refusals instead of guesses."""

from __future__ import annotations

import json

import gwyfile
import h5py
import numpy as np
import pytest
import tifffile
from gwyfile.objects import GwyContainer, GwyDataField

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Export, ReadHeightMap, run_step

HEIGHT = np.arange(20.0).reshape(4, 5) - 7


def read(path, **params):
    result = run_step("read-height-map", {}, ReadHeightMap(path=str(path), **params), SilentContext())
    return result.arrays["height"], result.info


def test_a_numpy_array_needs_unit_and_pixel_size(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, HEIGHT.astype(np.float32))
    with pytest.raises(EclipsError, match="unit"):
        read(path)
    with pytest.raises(EclipsError, match="pixel"):
        read(path, unit="µm")
    height, info = read(path, unit="µm", pixel_size_nm=(2.0, 3.0))
    np.testing.assert_allclose(height, 1000 * HEIGHT)
    assert info["pixel_size_nm"] == [2.0, 3.0]
    assert info["name"] == "a.npy"
    assert len(info["sha256"]) == 64


def test_an_archive_offers_its_maps_and_prefers_the_height(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, another=2 * HEIGHT, height=HEIGHT, line=HEIGHT[0])
    given = {"unit": "nm", "pixel_size_nm": (1.0, 1.0)}
    height, info = read(path, **given)
    np.testing.assert_array_equal(height, HEIGHT)
    assert info["channels"] == ["height", "another"]
    np.testing.assert_array_equal(read(path, channel="another", **given)[0], 2 * HEIGHT)
    with pytest.raises(EclipsError, match="height, another"):
        read(path, channel="line", **given)


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([[{}, {}], [{}, {}]], dtype=object), allow_pickle=True)
    with pytest.raises(EclipsError, match="cannot be read"):
        read(path, unit="nm", pixel_size_nm=(1.0, 1.0))


def test_a_plain_tiff_says_no_unit(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, HEIGHT.astype(np.float32))
    with pytest.raises(EclipsError, match="unit"):
        read(path)
    height, info = read(path, unit="nm", pixel_size_nm=(2.0, 2.0))
    np.testing.assert_array_equal(height, HEIGHT)
    assert info["pixel_size_nm"] == [2.0, 2.0]


def test_a_tiff_that_describes_itself_is_believed(tmp_path):
    path = tmp_path / "a.tif"
    said = json.dumps({"unit": "µm", "pixel_size_nm": 2.5})
    tifffile.imwrite(path, HEIGHT.astype(np.float32), description=said, metadata=None)
    height, info = read(path, unit="mm", pixel_size_nm=(9.0, 9.0))
    np.testing.assert_allclose(height, 1000 * HEIGHT)
    assert info["pixel_size_nm"] == [2.5, 2.5]


def test_the_pixel_size_of_imagej_is_read(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, HEIGHT.astype(np.float32), imagej=True, resolution=(4.0, 2.0), metadata={"unit": "um"})
    _, info = read(path, unit="nm")
    assert info["pixel_size_nm"] == pytest.approx([250, 500])


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
def test_a_picture_is_no_height_map(tmp_path, shape):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8))
    with pytest.raises(EclipsError, match="no height channel"):
        read(path, unit="nm", pixel_size_nm=(1.0, 1.0))


def test_a_stack_of_pages_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((3, 4, 5), np.float32), photometric="minisblack", metadata=None)
    with pytest.raises(EclipsError, match="3 pages"):
        read(path, unit="nm", pixel_size_nm=(1.0, 1.0))


def gwyddion_file(path, unit_z="m"):
    content = GwyContainer()
    for number, factor in ((0, 1.0), (1, 2.0)):
        field = GwyDataField(factor * HEIGHT * 1e-9, xreal=10e-6, yreal=4e-6, si_unit_xy="m", si_unit_z=unit_z)
        content[f"/{number}/data"] = field
        content[f"/{number}/data/title"] = "Topography"
    content.tofile(str(path))
    assert gwyfile.load(str(path)) is not None


def test_gwyddion_channels_by_title_with_pixels_that_are_not_square(tmp_path):
    path = tmp_path / "a.gwy"
    gwyddion_file(path)
    height, info = read(path)
    np.testing.assert_allclose(height, HEIGHT)
    assert info["pixel_size_nm"] == pytest.approx([2000, 1000])
    assert info["channels"] == ["Topography", "Topography 2"]
    np.testing.assert_allclose(read(path, channel="topography 2")[0], 2 * HEIGHT)


def test_a_channel_in_volts_or_ampere_is_no_height(tmp_path):
    path = tmp_path / "a.gwy"
    for unit in ("V", "A"):
        gwyddion_file(path, unit_z=unit)
        with pytest.raises(EclipsError, match=f"in {unit}, which is no height"):
            read(path)


def test_a_project_gives_its_reconstruction_where_it_rests_on_data(tmp_path):
    path = tmp_path / "a.eclips"
    with h5py.File(path, "w") as file:
        file["reconstruction/height"] = HEIGHT.astype(np.float32)
        file["reconstruction/height"].attrs["pixel_size_nm"] = 3.5
        file["reconstruction/mask"] = HEIGHT > -7
    height, info = read(path)
    assert info["pixel_size_nm"] == [3.5, 3.5]
    assert np.isnan(height[0, 0])
    np.testing.assert_array_equal(height.ravel()[1:], HEIGHT.ravel()[1:])


GWYDDION = "# Channel: Z\n# Width: 10 µm\n# Height: 4 µm\n# Value units: m\n{rows}"
PARK = "Date : 1.1.2020\n\nImage Width : 5\nImage Height : 4\nReal Width : 10 μm\nReal Height : 4000 nm\nZ Unit : m\n{line}"
MATRIX = "h=4 w=5\npixel size=2e-006 m\nheight conversion factor (-> m)=1.0\n{rows}"


@pytest.mark.parametrize(
    ("text", "size"), [(GWYDDION, [2000, 1000]), (PARK, [2000, 1000]), (MATRIX, [2000, 2000])], ids=["a", "b", "c"]
)
def test_texts_with_a_header(tmp_path, text, size):
    rows = [" ".join(f"{z * 1e-9:.6e}" for z in row) for row in HEIGHT]
    path = tmp_path / "a.txt"
    path.write_text(text.format(rows="\n".join(rows), line=" ".join(rows)), encoding="utf-8")
    height, info = read(path)
    np.testing.assert_allclose(height, HEIGHT, atol=1e-9)
    assert info["pixel_size_nm"] == pytest.approx(size)


@pytest.mark.parametrize(
    ("separator", "decimal", "encoding"),
    [(",", ".", "utf-8"), ("\t", ".", "utf-16"), (" ", ".", "latin-1"), (";", ",", "utf-8-sig"), (" ; ", ".", "utf-8")],
)
def test_plain_matrices(tmp_path, separator, decimal, encoding):
    path = tmp_path / "a.csv"
    rows = [separator.join(f"{z:.3f}".replace(".", decimal) for z in row) for row in HEIGHT]
    rows[1] = rows[1].replace(f"1{decimal}000", "NaN", 1)
    path.write_text("a title\n" + "\n".join(rows), encoding=encoding)
    height, _ = read(path, unit="Å", pixel_size_nm=(1.0, 1.0))
    expected = HEIGHT / 10
    expected[1, 1] = np.nan
    np.testing.assert_allclose(height, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3 4\n5 6 7\n", "row 2 of the heights has 3 values"),
        ("Image Width : 5\nImage Height : 4\nZ Unit : nm\n1 2 3\n", "5 x 4 values, the text holds 3"),
        ("1 2 x4 5\n1 2 3 4\n", "no number"),
        ("1 2 3\n" * 50, "3 columns"),
        ("1 2 3 4\n", "1 x 4 values"),
        ("nan nan nan nan\n" * 5, "no measured height"),
        ("some words\n", "no numbers"),
    ],
)
def test_texts_that_are_no_height_maps(tmp_path, text, message):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(EclipsError, match=message):
        read(path, unit="nm", pixel_size_nm=(1.0, 1.0))


@pytest.mark.parametrize(
    "content", [b"", b"\x00\x01\x02" * 300, b"II*\0garbage", b"GWYPgarbage", b"\x93NUMPYgarbage", b"\x89HDF\r\n\x1a\n"]
)
@pytest.mark.parametrize("suffix", [".dat", ".eclips", ".tif"])
def test_damaged_and_foreign_files_are_refused_in_one_sentence(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(EclipsError, match=path.name):
        read(path, unit="nm", pixel_size_nm=(1.0, 1.0))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(EclipsError, match="No such file"):
        read(tmp_path / "none.gwy")


@pytest.mark.parametrize("suffix", [".tif", ".csv", ".gwy", ".x3p"])
def test_our_own_exports_come_back_as_they_were(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    height = np.random.default_rng(4).normal(scale=30, size=(7, 9)).astype(np.float32)
    height[2, 3] = np.nan
    params = Export(path=str(path), pixel_size_nm=2.75, provenance={"method": "test"})
    run_step("export", {"height": height}, params, SilentContext())
    back, info = read(path)
    np.testing.assert_allclose(back, height, rtol=1e-6)
    assert info["pixel_size_nm"] == pytest.approx([2.75, 2.75], rel=1e-6)


def test_a_selection_of_gwyddion_hides_nothing(tmp_path):
    path = tmp_path / "a.gwy"
    content = GwyContainer()
    content["/0/data"] = GwyDataField(HEIGHT * 1e-9, xreal=1e-6, yreal=1e-6, si_unit_xy="m", si_unit_z="m")
    content["/0/mask"] = GwyDataField(np.ones(HEIGHT.shape))
    content.tofile(str(path))
    np.testing.assert_allclose(read(path)[0], HEIGHT)


# Real files: columns, rows, pixel size x, y (nm), lowest and highest value (nm).
REAL = {
    "NanoSurf_20160301.nid": (128, 128, 78.125, 78.125, -294.19, -88.50),
    "Park_20210916_034.tiff": (256, 256, 9.7656, 9.7656, -2.7132, 9.2441),
    "Veeco_20160622.003": (512, 512, 3.4552, 3.4552, -145.608, 13.869),
    "di-1.di": (512, 512, 0.97656, 0.97656, -30.306, 28.892),
    "di-3.di": (256, 256, 39.0625, 39.0625, -646.114, 564.016),
    "di-5.di": (512, 512, 1.95313, 1.95313, -322.586, -296.910),
    "example_ps.tiff": (512, 512, 1.95313, 1.95313, -14.9815, 21.7089),
    "matrix-4.txt": (75, 305, 369.862, 369.862, -296.881, 292.915),
    "mesoporous_SiO2_park.tiff": (256, 256, 3.90625, 3.90625, -1223.447, -1164.833),
    "mi-1.mi": (256, 256, 78.125, 78.125, -629.962, -464.322),
    "old_bruker.002": (256, 256, 58.59375, 58.59375, 52.3005, 757.0924),
    "pn_junction_park.tiff": (256, 256, 3.90625, 3.90625, -2866.480, -2840.981),
    "sample_0.jpk-qi-image": (100, 100, 5.0, 5.0, 3142.854, 3642.588),
    "sample_0.top": (512, 512, 0.97656, 0.97656, -80.7998, -21.0549),
    "si_grooves_10um.txt": (128, 128, 78.125, 78.125, 0.0, 572.130),
    "spot_1-1000nm.ibw": (256, 256, 78.4314, 78.4314, -704.624, -331.2335),
    "surfalize_test_1.plu": (768, 576, 332.0, 332.0, -12091.986, 12323.053),
    "x3p-2.x3p": (650, 650, 127.6565, 314.5821, -314.421, 239.916),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_have_the_right_size_unit_and_range(shared_data, name):
    columns, rows, size_x, size_y, low, high = REAL[name]
    height, info = read(shared_data / "data" / "afm" / name)
    assert height.shape == (rows, columns)
    assert info["pixel_size_nm"] == pytest.approx([size_x, size_y], rel=1e-4)
    assert (np.nanmin(height), np.nanmax(height)) == pytest.approx((low, high), rel=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "afmlevel_islands_200px.tiff",
        "gwyfile_test.gwy",
        "spiepy_Si111_defects.dat",
        "spiepy_Si111_step_edge_and_atoms.dat",
    ],
)
def test_real_files_that_say_too_little_are_refused(shared_data, name):
    with pytest.raises(EclipsError, match=r"unit|not known"):
        read(shared_data / "data" / "afm" / name)


def levelled(height):
    rows, columns = np.mgrid[0 : height.shape[0], 0 : height.shape[1]]
    design = np.stack([np.ones(height.size), rows.ravel(), columns.ravel()], axis=1)
    return height - (design @ np.linalg.lstsq(design, height.ravel(), rcond=None)[0]).reshape(height.shape)


@pytest.mark.parametrize("name", ["Park_20210916_034.tiff", "mesoporous_SiO2_park.tiff", "pn_junction_park.tiff"])
def test_park_heights_stand_as_the_thumbnail_of_the_same_file_shows(shared_data, name):
    path = shared_data / "data" / "afm" / name
    thumbnail = levelled(tifffile.imread(path).astype(float))
    seen = levelled(read(path)[0])
    likeness = [
        np.corrcoef(thumbnail.ravel(), view.ravel())[0, 1] for view in (seen, seen[::-1], seen[:, ::-1], seen.T)
    ]
    assert likeness[0] > 0.9 > 0.8 > max(likeness[1:])


def test_a_text_matrix_stands_as_it_is_written(shared_data):
    path = shared_data / "data" / "afm" / "matrix-4.txt"
    np.testing.assert_allclose(read(path)[0], np.loadtxt(path, skiprows=4) * 2.91818e-8 * 1e9, rtol=1e-6)


def test_the_first_line_of_a_nanosurf_scan_is_the_lowest(shared_data):
    # Its header says "Dim1Name=Y*, Dim1Min=0": lines follow each other upwards.
    path = shared_data / "data" / "afm" / "NanoSurf_20160301.nid"
    data = path.read_bytes()
    raw = np.frombuffer(data, "<i2", 128 * 128, data.index(b"#!") + 2).reshape(128, 128)
    np.testing.assert_allclose(read(path)[0][::-1], raw * (2e-5 / 65536 * 1e9), atol=0.2)
