"""TIFF files of an AFM are told from images by their first tags."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.io.height_tiff import is_park_tiff
from eclips_app.io.tiff import read_tiff


def _park(path: Path, byteorder: str = "<") -> Path:
    tifffile.imwrite(
        path, np.zeros((8, 8), np.uint8), byteorder=byteorder, extratags=[(50434, "s", 0, b"heights", True)]
    )
    return path


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_private_tags_of_park_are_seen(tmp_path: Path, byteorder: str) -> None:
    path = _park(tmp_path / "a.tiff", byteorder)
    assert is_park_tiff(path)
    with pytest.raises(EclipsError, match="heights of an AFM"):
        read_tiff(path)


def test_images_and_what_is_no_tiff_are_not(tmp_path: Path) -> None:
    path = tmp_path / "b.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16))
    assert not is_park_tiff(path)
    assert not is_park_tiff(tmp_path / "none.tif")


@given(st.binary(max_size=40), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0", b""]))
def test_no_content_makes_it_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes, head: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "c.tif"
    path.write_bytes(head + content)
    assert is_park_tiff(path) in (True, False)


def test_the_real_ones_are_seen(shared_data: Path) -> None:
    seen = {path.name for path in (shared_data / "data" / "afm").glob("*.tiff") if is_park_tiff(path)}
    assert "example_ps.tiff" in seen
    assert "afmlevel_islands_200px.tiff" not in seen


def test_a_count_beyond_the_end_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "d.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, 500))
    assert not is_park_tiff(path)
