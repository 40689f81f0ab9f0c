"""Image files that hold more than a picture: HDF5, JEOL .img and Phenom .elid."""

from __future__ import annotations

import bz2
import io
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.io import readers
from eclips_app.io.readers import RawFile
from eclips_app.io.vendor import read_metadata
from eclips_app.io.vendor.tags import Tags, number, pixel_nm
from eclips_app.model.items import Acquisition

_JEOL_MARK = b"JED-2200:LibJxImageForm"
_JEOL_GROUP, _JEOL_END = 0, 0xFF
_ELID_HEAD = struct.Struct("<4sIII")  # mark, version, number of images, bytes of the first image
_LARGEST_ELID = 2**30
#: Where a project file of this program keeps its images.
_PROJECT_IMAGES = "input/quadrants"


def read_hdf5(path: Path) -> RawFile:
    """Read the largest image dataset, [.., row, col]; equal-sized 2-D datasets beside each other are one image each.

    A pixel size is taken from an attribute ``pixel_size_nm`` of the dataset or of the groups above it.
    """
    import h5py

    with h5py.File(path, "r") as file:
        found: dict[str, Any] = {}

        def visit(name: str, node: Any) -> None:
            is_image = isinstance(node, h5py.Dataset) and node.dtype.kind in "uif" and 2 <= node.ndim <= 4
            if is_image and min(node.shape[-2:]) >= readers.SMALLEST_EDGE_PX:
                found[name] = node

        file.visititems(visit)
        if not found:
            raise EclipsError("holds no image dataset", where=path.name, hint="Store images as [segment, row, column].")
        chosen = _choose(found)
        for dataset in chosen.values():
            _check_dataset(path, dataset)
        arrays = [np.asarray(dataset[...]) for dataset in chosen.values()]
        size_nm = next((s for s in (_attribute_nm(file, name) for name in chosen) if s is not None), None)
    images = [plane for array in arrays for plane in array.reshape(-1, *array.shape[-2:])]
    layout = tuple(n for n in arrays[0].shape[:-2] if n > 1) if len(arrays) == 1 else (len(arrays),)
    names = tuple(name.rpartition("/")[2] for name in chosen) if len(arrays) > 1 else ()
    acquisition = Acquisition(pixel_size_nm=size_nm)
    return RawFile(path, tuple(images), (acquisition,) * len(images), layout, names)


def _choose(found: dict[str, Any]) -> dict[str, Any]:
    if _PROJECT_IMAGES in found:
        return {_PROJECT_IMAGES: found[_PROJECT_IMAGES]}
    stacks = {name: d for name, d in found.items() if d.ndim > 2}
    if stacks:
        name = max(stacks, key=lambda key: int(stacks[key].size))
        return {name: stacks[name]}
    largest = max(found.values(), key=lambda d: int(d.size))
    return {name: d for name, d in found.items() if d.shape == largest.shape and d.dtype == largest.dtype}


def _check_dataset(path: Path, dataset: Any) -> None:
    per_image = int(np.prod(dataset.shape[-2:], dtype=object)) * dataset.dtype.itemsize
    claimed = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    if per_image > readers.LARGEST_IMAGE_BYTES or claimed > readers.LARGEST_COMPRESSION * path.stat().st_size:
        raise EclipsError(
            f"claims a dataset of {dataset.shape}, more than it can hold",
            where=path.name,
            hint="Copy or export it again.",
        )


def _attribute_nm(file: Any, name: str) -> float | None:
    node = file[name]
    while True:
        value = node.attrs.get("pixel_size_nm")
        size = pixel_nm(np.ravel(value)[0]) if value is not None and np.size(value) else None
        if size is not None or node.name == "/":
            return size
        node = node.parent


def is_jeol(head: bytes) -> bool:
    """Tell whether the first bytes are those of a JEOL .img file."""
    return head[4 : 4 + len(_JEOL_MARK)] == _JEOL_MARK


def read_jeol(path: Path) -> RawFile:
    """Read a JEOL .img file: a tree of named values, the image under ``Image/Bits``."""
    data = path.read_bytes()
    start = struct.unpack_from("<I", data, 0x2C)[0]
    values = _JeolTree(data).read(start + 12)
    columns, rows = struct.unpack("<2I", values["Image/Size"])
    bits = values["Image/Bits"]
    if rows * columns == 0 or len(bits) % (rows * columns):
        raise readers.damaged(path, f"{len(bits)} bytes for {columns} x {rows} pixels")
    kinds = {1: "u1", 2: "<u2", 4: "<f4"}
    kind = kinds.get(len(bits) // (rows * columns))
    if kind is None:
        raise EclipsError("has pixels of an unknown kind", where=path.name, hint="Export the image as TIFF.")
    image: NDArray[Any] = np.frombuffer(bits, np.dtype(kind)).reshape(rows, columns)
    field_mm, magnification = _single(values, "Instrument/ScanSize", "<f"), _single(values, "Instrument/Mag", "<I")
    acquisition = Acquisition(
        instrument=values.get("Instrument/Name", b"").split(b"\0")[0].decode("latin-1") or None,
        # ScanSize is the width of the image at magnification 1.
        pixel_size_nm=pixel_nm(field_mm, 1e6 / (magnification * columns)) if magnification else None,
        energy_kev=_single(values, "Instrument/AccV", "<f"),
        working_distance_mm=_single(values, "Instrument/WorkD", "<f"),
        scan_rotation_deg=_single(values, "Instrument/ScanR", "<f"),
        magnification=magnification,
    )
    return RawFile(path, (image,), (acquisition,))


def _single(values: dict[str, bytes], key: str, form: str) -> float | None:
    raw = values.get(key, b"")
    return number(struct.unpack(form, raw)[0]) if len(raw) == struct.calcsize(form) else None


class _JeolTree:
    """Entries ``1, length, name, type, length, value, 255``; a group (type 0) holds entries up to its 255."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, start: int) -> dict[str, bytes]:
        self._at = start
        found: dict[str, bytes] = {}
        self._entries("", found, depth=0)
        return found

    def _entries(self, parent: str, found: dict[str, bytes], depth: int) -> None:
        if depth > 16:
            raise ValueError("groups are nested too deeply")
        while self._at < len(self._data) and self._data[self._at] == 1:
            self._at += 1
            name = parent + self._take(self._number()).rstrip(b"\0").decode("latin-1")
            kind, length = self._number(), self._number()
            if kind == _JEOL_GROUP:
                self._entries(name + "/", found, depth + 1)
            else:
                found[name] = self._take(length)
            if self._at < len(self._data) and self._data[self._at] == _JEOL_END:
                self._at += 1

    def _number(self) -> int:
        return int.from_bytes(self._take(4), "little")

    def _take(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise ValueError("it ends too early")
        self._at += length
        return self._data[self._at - length : self._at]


def read_elid(path: Path) -> RawFile:
    """Read the SEM image of a Phenom .elid file: bzip2, then a head of 16 bytes and the image as TIFF."""
    import tifffile

    content = bz2.BZ2Decompressor().decompress(path.read_bytes(), _LARGEST_ELID)
    mark, _, _, length = _ELID_HEAD.unpack_from(content)
    if mark != b"EID2" or length == 0 or _ELID_HEAD.size + length > len(content):
        raise readers.damaged(path, "its head names no image")
    with tifffile.TiffFile(io.BytesIO(content[_ELID_HEAD.size : _ELID_HEAD.size + length])) as tiff:
        page = tiff.pages[0]
        if page.nbytes > readers.LARGEST_COMPRESSION * length:
            raise readers.damaged(path, "its head claims too many pixels")
        image = page.asarray()
        tags = {tag.code: tag.value for tag in page.tags.values()}
    if image.ndim == 3:
        image = readers.to_grey(path, image)
    found, warnings = read_metadata(Tags(image.shape[0], image.shape[1], tags))
    raw = RawFile(path, (image,), (found.acquisition,), image_shape=found.image_shape)
    return replace(raw, warnings=warnings)
