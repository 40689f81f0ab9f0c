"""Real height files of many instruments: right size, unit, range and side up, or refused with the reason.

The files are not part of the project; who has not got them in ``../shared/data/afm`` runs the rest of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclips_app.cli import info
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.io.height_maps import read_surface

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "afm"
pytestmark = [
    pytest.mark.usefixtures("shared_data"),
    pytest.mark.filterwarnings("ignore"),
]

#: File: columns, rows, field in nm (x, y), lowest and highest height in nm, channels. Field and heights as the list of the
#: files has them, which was made with other programs.
TABLE: dict[str, tuple[int, int, tuple[float, float], tuple[float, float], int]] = {
    "NanoSurf_20160301.nid": (128, 128, (10e3, 10e3), (-294.2, -88.5), 2),
    "Park_20210916_034.tiff": (256, 256, (2500, 2500), (-2.713, 9.244), 1),
    "Veeco_20160622.003": (512, 512, (1769, 1769), (-145.6, 13.87), 1),
    "di-1.di": (512, 512, (500, 500), (-30.31, 28.89), 2),
    "di-3.di": (256, 256, (1e4, 1e4), (-646.1, 564.0), 2),
    "di-5.di": (512, 512, (1000, 1000), (-322.6, -296.9), 1),
    "example_ps.tiff": (512, 512, (1000, 1000), (-14.98, 21.71), 1),
    "matrix-4.txt": (75, 305, (27.74e3, 112.8e3), (-296.9, 292.9), 1),
    "mesoporous_SiO2_park.tiff": (256, 256, (1000, 1000), (-1223, -1165), 1),
    "mi-1.mi": (256, 256, (20e3, 20e3), (-630.0, -464.3), 1),
    "old_bruker.002": (256, 256, (15e3, 15e3), (52.3, 757.1), 1),
    "pn_junction_park.tiff": (256, 256, (1000, 1000), (-2866, -2841), 1),
    "sample_0.jpk-qi-image": (100, 100, (500, 500), (3143, 3643), 3),
    "sample_0.top": (512, 512, (500, 500), (-80.8, -21.05), 1),
    "si_grooves_10um.txt": (128, 128, (10e3, 10e3), (0, 572), 1),
    # The wave says 20 µm / 255 from pixel to pixel; a scan of 20 µm over 256 pixels would be 0.4 % less.
    "spot_1-1000nm.ibw": (256, 256, (20.08e3, 20.08e3), (-704.6, -331.2), 2),
    "surfalize_test_1.plu": (768, 576, (255e3, 191.2e3), (-12090, 12320), 1),
    "x3p-2.x3p": (650, 650, (82.98e3, 204.5e3), (-314.4, 239.9), 1),
}

#: Files that say too little, with the words of the refusal and what must be given.
REFUSED: dict[str, tuple[str, dict[str, Any] | None, tuple[float, float]]] = {
    "afmlevel_islands_200px.tiff": ("unit", {"unit": "nm", "pixel_size_nm": (1.0, 1.0)}, (-11.543, -6.850)),
    "gwyfile_test.gwy": ("unit", {"unit": "m", "pixel_size_nm": (1.0, 1.0)}, (0, 1e6)),
    "spiepy_Si111_defects.dat": ("this kind of file is not known", None, (0, 0)),
    "spiepy_Si111_step_edge_and_atoms.dat": ("this kind of file is not known", None, (0, 0)),
}


def read(name: str, **params: Any) -> Any:
    return run_step("read-height-map", {}, ReadHeightMap(str(FOLDER / name), **params), SilentContext())


def test_every_file_is_in_one_of_the_tables() -> None:
    assert {path.name for path in FOLDER.iterdir()} == TABLE.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", TABLE)
def test_size_unit_and_range(name: str) -> None:
    columns, rows, field, (low, high), channels = TABLE[name]
    result = read(name)
    height, size = result.arrays["height"], result.info["pixel_size_nm"]
    assert height.shape == (rows, columns)
    assert (columns * size[0], rows * size[1]) == pytest.approx(field, rel=1e-3)
    assert (np.nanmin(height), np.nanmax(height)) == pytest.approx((low, high), rel=1e-3, abs=0.2)
    assert len(result.info["channels"]) == channels


@pytest.mark.parametrize("name", REFUSED)
def test_what_says_too_little_is_refused_and_read_with_what_is_missing(name: str) -> None:
    words, given, limits = REFUSED[name]
    with pytest.raises(EclipsError, match=words):
        read(name)
    if given is not None:
        height = read(name, **given).arrays["height"]
        assert (height.min(), height.max()) == pytest.approx(limits, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["NanoSurf_20160301.nid", "di-3.di", "spot_1-1000nm.ibw", "sample_0.jpk-qi-image"])
def test_every_channel_can_be_read(name: str) -> None:
    channels = read(name).info["channels"]
    maps = [read(name, channel=channel).arrays["height"] for channel in channels]
    assert not any(np.array_equal(maps[0], other) for other in maps[1:])


# Which side is up. The bytes of the files hold lines in the order of the scan; the order in which Gwyddion shows them is
# written beside each (its modules nanoscope, ezdfile, mifile, igorfile, jpkscan, wsxmfile, plu, x3p).


def after(name: str, mark: bytes, dtype: str, shape: tuple[int, int]) -> np.ndarray:
    data = (FOLDER / name).read_bytes()
    return np.frombuffer(data, dtype, shape[0] * shape[1], data.index(mark) + len(mark)).reshape(shape)


def nanoscope(name: str) -> np.ndarray:
    data = (FOLDER / name).read_bytes()
    image = next(part for part in re.split(rb"\\\*", data[:40000]) if part.startswith(b"Ciao image list"))
    offset, length = (int(re.search(rb"Data " + word + rb": (\d+)", image)[1]) for word in (b"offset", b"length"))  # type: ignore[index]
    edge = TABLE[name][0]
    return np.frombuffer(data, f"<i{length // edge**2}", edge**2, offset).reshape(edge, edge)


def igor(name: str) -> np.ndarray:
    return np.frombuffer((FOLDER / name).read_bytes(), "<f4", 65536, 384).reshape(256, 256)


def jpk(name: str) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(FOLDER / name) as file:
        return next(page.asarray() for page in file.pages if page.shape == (100, 100))


def park_text(name: str) -> np.ndarray:
    numbers = (FOLDER / name).read_text(encoding="utf-8").partition("Z Unit : nm")[2].split()
    return np.array(numbers, float).reshape(128, 128)


def by_surfalize(name: str) -> np.ndarray:
    from surfalize import Surface

    return np.asarray(Surface.load(FOLDER / name).data)


PLU = "surfalize_test_1.plu"


def upside_down(lines: np.ndarray) -> np.ndarray:
    return lines[::-1]


def as_stored(lines: np.ndarray) -> np.ndarray:
    return lines


def turned(lines: np.ndarray) -> np.ndarray:
    return lines[::-1, ::-1]


Shown = Callable[[np.ndarray], np.ndarray]
SIDES: dict[str, tuple[Callable[[str], np.ndarray], Shown]] = {
    **{name: (nanoscope, upside_down) for name in TABLE if name.startswith(("di-", "Veeco", "old_"))},
    "NanoSurf_20160301.nid": (lambda name: after(name, b"#!", "<i2", (128, 128)), upside_down),
    "mi-1.mi": (lambda name: after(name, b"BINARY_32\n", "<i4", (256, 256)), upside_down),
    "spot_1-1000nm.ibw": (igor, upside_down),
    "sample_0.jpk-qi-image": (jpk, upside_down),
    "sample_0.top": (lambda name: after(name, b"[Header end]\r\n", "<i2", (512, 512)), turned),
    "si_grooves_10um.txt": (park_text, as_stored),
    "x3p-2.x3p": (by_surfalize, as_stored),
}


@pytest.mark.parametrize("name", SIDES)
def test_the_side_that_is_up_is_that_of_the_instruments_program(name: str) -> None:
    raw, shown = SIDES[name]
    found, lines = read_surface(FOLDER / name).values, raw(name).astype(float)
    likeness = {way.__name__: alike(found, way(lines)) for way in (as_stored, upside_down, turned, np.fliplr)}
    assert max(likeness, key=likeness.__getitem__) == shown.__name__
    assert likeness[shown.__name__] > 0.99999


@pytest.mark.parametrize("name", ["Park_20210916_034.tiff", "mesoporous_SiO2_park.tiff", "pn_junction_park.tiff"])
def test_park_files_are_the_way_up_that_their_picture_shows(name: str) -> None:
    import tifffile

    with tifffile.TiffFile(FOLDER / name) as file:
        page = file.pages.first
        picture = page.colormap.sum(axis=0)[page.asarray()].astype(float)  # brighter is higher
    found = read_surface(FOLDER / name).values
    assert alike(found, picture) > 0.9 > alike(found, picture[::-1])


def test_plu_begins_where_the_heights_begin() -> None:
    """surfalize 0.19 reads two numbers of the header as heights and so moves the map by two pixels; we do not."""
    ours, theirs = (values.ravel() for values in (read_surface(FOLDER / PLU).values, by_surfalize(PLU)))
    np.testing.assert_allclose(ours[:-2], theirs[2:], atol=1e-5)
    assert np.abs(theirs[:2]).max() < 1e-30


def alike(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_the_table_of_the_command_line_tells_all() -> None:
    found = [{"path": str(FOLDER / name), **info._look(FOLDER / name)} for name in TABLE]
    lines = info.describe({"files": found, "table": True}).splitlines()
    assert len(lines) == 1 + len(TABLE)
    expected = "x3p-2.x3p 650 x 650 127.7 nm x 314.6 nm 82.98 µm x 204.5 µm m -314.42 to 239.92 nm Default"
    assert " ".join(lines[-1].split()) == expected
