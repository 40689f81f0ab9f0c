"""Exports, each read back by another program's library where there is one; the surface is a known tilted plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.steps import Export, ReadHeightMap
from eclips_app.io.export import export_step, formats
from eclips_app.io.height_maps import read_step

SIZE = 2.5  # nm
ROWS, COLUMNS = 9, 12


def plane(hole: bool = False) -> NDArray[np.float32]:
    """Height 0.5 x + 0.25 y in nm, origin at the centre of the bottom-left pixel."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    height = (0.5 * columns * SIZE + 0.25 * (ROWS - 1 - rows) * SIZE).astype(np.float32)
    if hole:
        height[4, 5] = np.nan
    return height


def export(path: Path, height: NDArray[Any], **more: Any) -> Path:
    arrays = {name: more.pop(name) for name in ("normals", "height_std", "texture", "mask") if name in more}
    params = Export(str(path), SIZE, "Plane", {"method": "test"}, **more)
    export_step({"height": height, **arrays}, params, SilentContext())
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file is left
    return path


# Grids and tables


def test_tiff_is_read_alike_by_imagej_rules(tmp_path: Path) -> None:
    with tifffile.TiffFile(export(tmp_path / "a.tif", plane(hole=True))) as tiff:
        assert np.array_equal(tiff.asarray(), plane(hole=True), equal_nan=True)
        assert tiff.asarray().dtype == np.float32
        assert tiff.imagej_metadata is not None
        assert tiff.imagej_metadata["unit"] == "nm"
        assert json.loads(tiff.imagej_metadata["Info"])["made"] == {"method": "test"}
        number, of = tiff.pages[0].tags["XResolution"].value  # type: ignore[union-attr]
        assert of / number == pytest.approx(SIZE, rel=1e-6)


@pytest.mark.parametrize("suffix", [".tif", ".gwy", ".x3p"])
def test_own_reader_gives_the_same_map(tmp_path: Path, suffix: str) -> None:
    path = export(tmp_path / f"a{suffix}", plane())
    result = read_step({}, ReadHeightMap(str(path)), SilentContext())
    assert np.allclose(result.arrays["height"], plane(), atol=1e-5)
    assert result.info["pixel_size_nm"] == pytest.approx([SIZE, SIZE], rel=1e-6)


def test_csv_lists_points_with_units(tmp_path: Path) -> None:
    path = export(tmp_path / "a.csv", plane(hole=True), height_std=np.full((ROWS, COLUMNS), 0.125))
    assert path.read_text().splitlines()[0] == "x_nm,y_nm,z_nm,z_std_nm"
    x, y, z, std = np.loadtxt(path, delimiter=",", skiprows=1).T
    assert len(x) == ROWS * COLUMNS - 1
    assert np.allclose(z, 0.5 * x + 0.25 * y, atol=1e-5)
    assert y[0] == (ROWS - 1) * SIZE  # the first row is at the top
    assert set(std) == {0.125}


def test_gwyddion_masks_what_is_missing(tmp_path: Path) -> None:
    import gwyfile

    content = gwyfile.load(str(export(tmp_path / "a.gwy", plane(hole=True))))
    mask = np.asarray(content["/0/mask"].data)
    assert np.argwhere(mask).tolist() == [[4, 5]]
    assert mask.max() == pytest.approx(1.0)
    assert np.isfinite(content["/0/data"].data).all()
    assert content["/0/data"].si_unit_z.unitstr == "m"


# Meshes

STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def test_stl_faces_look_up_along_the_plane_normal(tmp_path: Path) -> None:
    data = export(tmp_path / "a.stl", plane()).read_bytes()
    assert not data.startswith(b"solid")  # the word that marks the text form
    assert b"nm" in data[:80]
    triangles = np.frombuffer(data, STL, offset=84)
    assert len(triangles) == int(np.frombuffer(data, "<u4", 1, 80)[0]) == 2 * (ROWS - 1) * (COLUMNS - 1)
    normal = np.array([-0.5, -0.25, 1.0]) / np.linalg.norm([-0.5, -0.25, 1.0])
    assert np.allclose(triangles["normal"], normal, atol=1e-5)
    edges = np.diff(triangles["corners"], axis=1)
    assert np.cross(edges[:, 0], edges[:, 1])[:, 2].sum() / 2 == pytest.approx((ROWS - 1) * (COLUMNS - 1) * SIZE**2)


def vtk_points_and_triangles(path: Path) -> tuple[NDArray[Any], NDArray[Any], Any]:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOGeometry import vtkSTLReader
    from vtkmodules.vtkIOPLY import vtkPLYReader
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    reader = {".stl": vtkSTLReader, ".ply": vtkPLYReader, ".vtp": vtkXMLPolyDataReader}[path.suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    mesh = reader.GetOutput()
    triangles = vtk_to_numpy(mesh.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    return vtk_to_numpy(mesh.GetPoints().GetData()), triangles, mesh


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".vtp"])
def test_vtk_reads_meshes_with_the_hole_left_out(tmp_path: Path, suffix: str) -> None:
    extras = {} if suffix == ".stl" else {"height_std": np.full((ROWS, COLUMNS), 0.5)}
    points, triangles, _ = vtk_points_and_triangles(export(tmp_path / f"a{suffix}", plane(hole=True), **extras))
    assert len(points) == ROWS * COLUMNS - 1
    assert np.allclose(points[:, 2], 0.5 * points[:, 0] + 0.25 * points[:, 1], atol=1e-5)
    assert len(triangles) == 2 * (ROWS - 1) * (COLUMNS - 1) - 6  # six triangles meet at an inner point
    a, b, c = (points[triangles[:, i]] for i in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_vtp_carries_point_data_of_large_maps_too(tmp_path: Path) -> None:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    rng = np.random.default_rng(0)
    height = rng.normal(size=(400, 700)).astype(np.float32)  # more than one band
    std = rng.random((400, 700)).astype(np.float32)
    points, _, mesh = vtk_points_and_triangles(export(tmp_path / "a.vtp", height, height_std=std))
    assert np.array_equal(points[:, 2], height.ravel())
    assert np.array_equal(vtk_to_numpy(mesh.GetPointData().GetArray("height_std_nm")), std.ravel())


# Pictures


def test_png_shows_height_by_colour_and_says_the_range(tmp_path: Path) -> None:
    height = np.zeros((60, 100), np.float32)
    height[:, 50:] = 7.0
    height[:10, :10] = np.nan
    with Image.open(export(tmp_path / "a.png", height)) as picture:
        assert picture.mode == "RGB"
        assert picture.width == 400  # four picture elements for each of the small map's pixels
        assert picture.height > 240  # the strip with scale bar and colour bar
        low, high = picture.getpixel((80, 160)), picture.getpixel((320, 160))
        assert low[2] > low[1]  # type: ignore[index]  # dark violet
        assert high[0] > high[2] + 100  # type: ignore[index, operator]  # yellow
        assert picture.getpixel((20, 20)) == (225, 225, 225)
        assert (picture.text["lowest_nm"], picture.text["highest_nm"]) == ("0.0", "7.0")  # type: ignore[attr-defined]
        strip = np.asarray(picture)[240:]
        assert (strip < 60).all(axis=-1).any()  # black ink


def test_png_of_16_bit_gives_back_the_heights(tmp_path: Path) -> None:
    height = plane(hole=True)
    with Image.open(export(tmp_path / "a.png", height, picture="grey16")) as picture:
        grey = np.asarray(picture).astype(np.float64)
        low, high = (float(picture.text[f"{name}_nm"]) for name in ("lowest", "highest"))  # type: ignore[attr-defined]
    assert grey[4, 5] == 0
    back = low + (grey - 1) / 65534 * (high - low)
    assert np.nanmax(np.abs(np.where(grey > 0, back, np.nan) - height)) <= (high - low) / 65534


# What may go wrong


@pytest.mark.parametrize("suffix", sorted(formats()))
def test_every_format_leaves_out_what_the_mask_excludes(tmp_path: Path, suffix: str) -> None:
    mask = np.ones((ROWS, COLUMNS), bool)
    mask[0] = False
    height = plane()
    height[0] = 1e6
    path = export(tmp_path / f"a{suffix}", height, mask=mask)
    if suffix in (".stl", ".ply", ".vtp"):
        assert vtk_points_and_triangles(path)[0][:, 2].max() < 100
    elif suffix == ".png":
        with Image.open(path) as picture:
            assert float(picture.text["highest_nm"]) < 100  # type: ignore[attr-defined]
    elif suffix == ".csv":
        assert np.loadtxt(path, delimiter=",", skiprows=1)[:, 2].max() < 100
    else:
        read = read_step({}, ReadHeightMap(str(path)), SilentContext()).arrays["height"]
        assert np.nanmax(read) < 100


def test_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match=r"'\.doc'.*\.tif.*\.x3p"):
        export(tmp_path / "a.doc", plane())
    assert not list(tmp_path.iterdir())


def test_inputs_are_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "input.tif"
    path.write_bytes(b"mine")
    with pytest.raises(EclipsError, match="is an input"):
        export(path, plane(), keep_paths=(str(tmp_path / "." / "input.tif"),))
    assert path.read_bytes() == b"mine"


def test_cancelled_export_leaves_what_was_there(tmp_path: Path) -> None:
    class Stop(SilentContext):
        def progress(self, fraction: float, text: str = "") -> None:
            raise Cancelled

    path = tmp_path / "a.stl"
    path.write_bytes(b"earlier")
    with pytest.raises(Cancelled):
        export_step({"height": plane()}, Export(str(path), SIZE), Stop())
    assert path.read_bytes() == b"earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_maps_without_heights_are_refused(tmp_path: Path) -> None:
    for suffix in formats():
        with pytest.raises(EclipsError, match="no height"):
            export(tmp_path / f"a{suffix}", np.full((5, 5), np.nan))
    lonely = np.full((5, 5), np.nan)
    lonely[2, 2] = 1.0
    with pytest.raises(EclipsError, match="triangles"):
        export(tmp_path / "a.stl", lonely)
    assert not list(tmp_path.iterdir())
