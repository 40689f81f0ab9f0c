"""Damaged files: an `EclipsError` that names the file, or success; never anything else."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadSegments, run_step
from eclips_app.io.readers import read_file

GREY = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)
MAGICS = (b"", b"II*\0", b"MM\0*", b"II+\0", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x89HDF\r\n\x1a\n", b"BZh9",
          b"4\0\0\0JED-2200:LibJxImageForm")  # fmt: skip
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads_or_explains(path: Path) -> None:
    try:
        raw = read_file(path)
    except EclipsError as error:
        assert path.name in str(error)  # noqa: PT017 - success is as good
    else:
        assert all(image.ndim == 2 and not image.flags.writeable for image in raw.images)


@SLOW
@given(magic=st.sampled_from(MAGICS), body=st.binary(max_size=400), suffix=st.sampled_from(["tif", "elid", "h5"]))
def test_random_bytes(tmp_path: Path, magic: bytes, body: bytes, suffix: str) -> None:
    path = tmp_path / f"random.{suffix}"
    path.write_bytes(magic + body)
    reads_or_explains(path)


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("small")
    tifffile.imwrite(folder / "a", np.stack([GREY] * 3), photometric="minisblack", compression="lzw")
    tifffile.imwrite(folder / "b", GREY.astype(np.uint16), description='{"pixel_size_nm": 2}')
    tifffile.imwrite(folder / "c", np.stack([GREY] * 4), imagej=True, resolution=(2.0, 2.0), metadata={"unit": "nm"})
    Image.fromarray(GREY).save(folder / "d", "PNG")
    Image.fromarray(GREY).save(folder / "e", "JPEG")
    with h5py.File(folder / "f", "w") as file:
        file["images"] = np.stack([GREY] * 3)
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@SLOW
@given(st.data())
def test_changed_bytes(tmp_path: Path, small_files: list[bytes], data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(small_files)))
    size = data.draw(st.one_of(st.just(len(content)), st.integers(1, len(content))))
    # Most of what decides is in the first and last few hundred bytes.
    places = st.one_of(st.integers(0, 400), st.integers(len(content) - 400, len(content) - 1))
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        content[place % len(content)] = byte
    path = tmp_path / "changed.tif"
    path.write_bytes(bytes(content[:size]))
    reads_or_explains(path)


@settings(SLOW, max_examples=12)
@given(part=st.floats(0.0, 0.999), index=st.integers(0, 100))
def test_truncated_real_files(shared_data: Path, tmp_path: Path, part: float, index: int) -> None:
    files = [p for p in sorted((shared_data / "data" / "sem_meta").iterdir()) if p.suffix in (".tif", ".img", ".elid")]
    content = files[index % len(files)].read_bytes()
    path = tmp_path / f"cut{files[index % len(files)].suffix}"
    path.write_bytes(content[: int(part * len(content))])
    reads_or_explains(path)


@pytest.mark.parametrize(
    "name", ["test_tiff_Zeiss_SEM_1k.tif", "FEI_Quanta_LFD_quanta_image.tif", "JEOL_View000_0000000.img"]
)
def test_half_a_real_file_is_refused(shared_data: Path, tmp_path: Path, name: str) -> None:
    content = (shared_data / "data" / "sem_meta" / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(EclipsError, match=f"{name}: the file is damaged or incomplete"):
        read_file(tmp_path / name)


def header_claiming(rows: int, columns: int, compression: int = 1) -> bytes:
    """Write a TIFF of a few bytes whose header claims any size."""
    tags = [(256, 4, 1, columns), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
            (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, 100)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 200) + bytes(192) + struct.pack("<H", len(tags)) + entries + bytes(4)


def with_value(value: float) -> np.ndarray:
    image = GREY.astype(np.float32)
    image[3, 4] = value
    return image


def damage(folder: Path) -> dict[str, str]:
    """Write twenty files that cannot be used, and say what the message must hold."""
    folder.joinpath("empty.tif").write_bytes(b"")
    folder.joinpath("text.tif").write_text("no image")
    folder.joinpath("head.tif").write_bytes(b"II*\0")
    folder.joinpath("loop.tif").write_bytes(b"II*\0\x08\0\0\0\0\0\x08\0\0\0")
    folder.joinpath("huge.tif").write_bytes(header_claiming(2**31, 2**31))
    folder.joinpath("large.tif").write_bytes(header_claiming(50000, 50000))
    folder.joinpath("bomb.tif").write_bytes(header_claiming(60000, 60000, compression=8))
    folder.joinpath("zero.tif").write_bytes(header_claiming(0, 64))
    folder.joinpath("short.tif").write_bytes(header_claiming(100, 100))
    folder.joinpath("codec.tif").write_bytes(header_claiming(64, 64, compression=12345))
    folder.joinpath("lzw.tif").write_bytes(header_claiming(64, 64, compression=5))
    tifffile.imwrite(folder / "nan.tif", with_value(np.nan))
    tifffile.imwrite(folder / "inf.tif", with_value(np.inf))
    tifffile.imwrite(folder / "complex.tif", GREY.astype(np.complex64))
    tifffile.imwrite(folder / "bits.tif", GREY > 100)
    tifffile.imwrite(folder / "tiny.tif", GREY[:4, :4])
    tifffile.imwrite(folder / "colour.tif", np.dstack([GREY, GREY // 2, GREY]), photometric="rgb")
    Image.fromarray(GREY).save(folder / "cut.png")
    folder.joinpath("cut.png").write_bytes(folder.joinpath("cut.png").read_bytes()[:200])
    with h5py.File(folder / "noimage.h5", "w") as file:
        file["numbers"] = np.arange(5)
    folder.joinpath("folder.tif").mkdir()
    return {
        "empty.tif": "empty", "text.tif": "no image file", "head.tif": "damaged", "loop.tif": "no image",
        "huge.tif": "more than it can hold",
        "large.tif": "more than it can hold", "bomb.tif": "more than it can hold", "zero.tif": "no image", "short.tif": "damaged",
        "codec.tif": "damaged", "lzw.tif": "damaged", "nan.tif": "not finite numbers, in 1 of its pixels",
        "inf.tif": "not finite",
        "complex.tif": "not grey values", "bits.tif": "black and white", "tiny.tif": "only 4 pixels",
        "colour.tif": "colour image",
        "cut.png": "damaged", "noimage.h5": "no image dataset", "folder.tif": "folder",
    }  # fmt: skip


def test_twenty_damaged_files_among_good_ones(tmp_path: Path) -> None:
    good = [tmp_path / f"good_{k}.tif" for k in "AB"]
    for path in good:
        tifffile.imwrite(path, GREY)
    expected = damage(tmp_path)
    assert len(expected) == 20
    for name, words in expected.items():
        paths = tuple(str(p) for p in (*good, tmp_path / name))
        with pytest.raises(EclipsError) as caught:
            run_step("read-segments", {}, ReadSegments(paths=paths), SilentContext())
        message = str(caught.value)
        assert name in message
        assert words in message
        assert "\n" not in message
        assert "Traceback" not in message


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EclipsError, match="cannot be read"):
        read_file(tmp_path / "nothing.tif")
