"""Files that cannot be used, dropped on the window: one sentence each that names the file; nothing else changes."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from driver import Program, content, open_scan
from PIL import Image

from eclips_app.model.items import SegmentSet


@pytest.fixture
def opened(program: Program, scan: Path) -> Program:
    """The program with the small scan, not saved."""
    open_scan(program, scan)
    return program


def check_refused(program: Program, name: str, *paths: Path) -> str:
    """Drop files that cannot be used; gives the one sentence that the user reads, which names the file."""
    before, said = content(program), len(program.said())
    program.drop(*paths)
    assert len(program.said()) == said + 1, name
    sentence = program.said()[-1]
    assert name in sentence
    assert "\n" not in sentence
    assert "fault of the program" not in sentence
    assert content(program) == before
    return sentence


def damaged_projects(good: Path, folder: Path) -> dict[Path, str]:
    """Write what is no project (any more), with the words that the user reads after the path."""
    whole = good.read_bytes()
    half, flipped, empty, text = (folder / f"{name}.eclips" for name in ("half", "flipped", "empty", "text"))
    half.write_bytes(whole[: len(whole) // 2])
    middle = whole.index(b"sha256")
    flipped.write_bytes(
        whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 4000]) + whole[middle + 4000 :]
    )
    empty.write_bytes(b"")
    text.write_text("no project")
    foreign, newer, unknown = (folder / f"{name}.eclips" for name in ("foreign", "newer", "unknown"))
    with h5py.File(foreign, "w") as file:
        file["data"] = np.arange(9)
    newer.write_bytes(whole)
    with h5py.File(newer, "r+") as file:
        file.attrs["schema"] = "eclips-project/99"
    unknown.write_bytes(whole)
    with h5py.File(unknown, "r+") as file:
        state = json.loads(file["state"].asstr()[()])
        state["version"] = 99
        del file["state"]
        again = json.dumps(state)
        file.create_dataset("state", data=again).attrs["sha256"] = hashlib.sha256(again.encode()).hexdigest()
    return {
        half: "the project is damaged and cannot be read",
        flipped: "damaged",
        empty: "this is no ECLIPS project, or it is damaged",
        text: "this is no ECLIPS project, or it is damaged",
        foreign: "this HDF5 file is no ECLIPS project",
        newer: "the version 99 of the project is not known. Open it with a newer version of ECLIPS.",
        unknown: "version 99 of the project is not known. Open it with a newer version of ECLIPS.",
        folder / "gone.eclips": "there is no such file",
    }


def test_damaged_projects(opened: Program, tmp_path: Path) -> None:
    good = tmp_path / "good.eclips"
    opened.save_as(good)
    for path, words in damaged_projects(good, tmp_path).items():
        assert words in check_refused(opened, path.name, path)
        assert opened.session.path == good
    assert not opened.is_unsaved


def huge_tiff(rows: int, columns: int, compression: int = 1) -> bytes:
    """A TIFF of a few bytes whose header claims any size."""
    tags = [(256, 4, 1, columns), (257, 4, 1, rows), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
            (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, 100)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 200) + bytes(192) + struct.pack("<H", len(tags)) + entries + bytes(4)


def write_damaged_images(good: Path, folder: Path) -> list[Path]:
    """Write twenty files that are no usable segment image."""
    image = tifffile.imread(good)
    whole = good.read_bytes()

    def put(name: str, data: bytes) -> Path:
        path = folder / name
        path.write_bytes(data)
        return path

    def made(name: str, write: Callable[[Path], object]) -> Path:
        write(folder / name)
        return folder / name

    def flipped(data: bytes, at: int, count: int) -> bytes:
        return data[:at] + bytes(255 - byte for byte in data[at : at + count]) + data[at + count :]

    grey = (image // 256).astype(np.uint8)
    lzw = made("lzw.tif", lambda path: tifffile.imwrite(path, image, compression="lzw")).read_bytes()
    png = made("whole.png", lambda path: Image.fromarray(grey).save(path)).read_bytes()
    jpeg = made("whole.jpg", lambda path: Image.fromarray(grey).save(path)).read_bytes()
    zipped = folder / "zipped.tif"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("image.tif", whole)
    holes = image.astype(np.float32)
    holes[5, 6] = np.nan
    return [
        put("empty.tif", b""),
        put("one_byte.tif", b"I"),
        put("text.tif", b"Segment A, 15 kV\n" * 50),
        put("half.tif", whole[: len(whole) // 2]),
        put("header.tif", whole[:8]),
        put("start_lost.tif", whole[100:]),
        put("zeros.tif", bytes(len(whole))),
        put("head_flipped.tif", flipped(whole, 4, 4)),
        put("half_lzw.tif", lzw[: len(lzw) // 2]),
        put("half.png", png[: len(png) // 2]),
        put("flipped.png", flipped(png, len(png) // 2, 40)),
        put("half.jpg", jpeg[: len(jpeg) // 3]),
        put("huge.tif", huge_tiff(2**31, 2**31)),
        put("bomb.tif", huge_tiff(60000, 60000, compression=8)),
        put("noise.h5", b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(3000)),
        zipped,
        made("nan.tif", lambda path: tifffile.imwrite(path, holes)),
        made("other_size.tif", lambda path: tifffile.imwrite(path, image[:-7])),
        made("other_type.tif", lambda path: tifffile.imwrite(path, grey)),
        made("folder.tif", Path.mkdir),
    ]


def test_twenty_damaged_images(opened: Program, scan: Path, tmp_path: Path) -> None:
    good = [scan / f"{name}.tif" for name in "ENW"]
    damaged = write_damaged_images(scan / "S.tif", tmp_path)
    assert len(damaged) == 20
    for path in damaged:
        check_refused(opened, path.name, *good, path)
    opened.drop(*good, scan / "S.tif")  # the window goes on as before
    assert len(opened.project.of_kind(SegmentSet)) == 2


def detector_with(changes: dict[str, Any], without: str = "") -> Callable[[dict[str, Any]], Any]:
    return lambda good: {**{key: value for key, value in good.items() if key != without}, **changes}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (detector_with({"distanc_mm": 8.0}), "distanc_mm"),
        (detector_with({}, without="inner_radius_mm"), "inner_radius_mm"),
        (detector_with({"distance_mm": -8.0}), "distance_mm"),
        (detector_with({"distance_mm": "far"}), "distance_mm"),
        (detector_with({"quadrants": []}), "quadrants"),
        (detector_with({"schema": "eclips-detector/9"}), "schema"),
        (lambda good: [1, 2, 3], ""),
        (lambda good: "{", ""),
    ],
)
def test_detector_files_that_are_wrong(
    program: Program, scan: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    program.drop(scan / "detector.json")
    path = tmp_path / "wrong.json"
    changed = change(json.loads((scan / "detector.json").read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    assert words in check_refused(program, "wrong.json", path)


def test_other_files_that_nobody_can_read(opened: Program, tmp_path: Path) -> None:
    for name in ("noise.json", "noise.spm", "noise.gwy", "noise.ibw", "noise.xyz", "noise.docx", "noise"):
        path = tmp_path / name
        path.write_bytes(np.random.default_rng(1).bytes(5000))
        check_refused(opened, name, path)
    folder = tmp_path / "folder"
    folder.mkdir()
    check_refused(opened, "folder", folder)
