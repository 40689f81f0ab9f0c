"""Reading image files: PNG and JPEG here; TIFF in `io.tiff`, HDF5, JEOL .img and Phenom .elid in `io.containers`.

A file gives one or more grey images of one size, as stored. Whatever is wrong with a file, the caller gets an `EclipsError`
that names it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.io.vendor import read_metadata
from eclips_app.io.vendor.tags import Tags
from eclips_app.model.items import Acquisition
from eclips_app.plugin_api import registry
from eclips_app.plugin_api.protocols import SegmentReader

#: No single image is larger than this (32768 x 32768 pixels of 32 bit); a header that claims more is damaged.
LARGEST_IMAGE_BYTES = 2**32
#: No compression in use shrinks an image further than this; a header that claims more is damaged.
LARGEST_COMPRESSION = 5000
#: The smallest image with slopes and something to register.
SMALLEST_EDGE_PX = 16

LOSSY_WARNING = "is stored with lossy compression (JPEG), which alters grey values and slopes; use TIFF or PNG"

_SIDECARS = ("{stem}.txt", "{stem}.TXT", "{stem}.hdr", "{stem}-{suffix}.hdr", "{name}.hdr")


@dataclass(frozen=True)
class RawFile:
    """The images of one file, each [row, col] in its stored type and read-only.

    `layout` is () for one image, (n,) for n images of which the file does not say whether they are segments or frames, and
    (frames, segments) where it does. `image_shape` (rows, columns) is the part above the data bar where the file states it.
    """

    path: Path
    images: tuple[NDArray[Any], ...]
    acquisitions: tuple[Acquisition, ...]
    layout: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None
    lossy: bool = False
    sha256: str = ""
    warnings: tuple[str, ...] = ()


def read_file(path: str | Path) -> RawFile:
    """Read all images of a file.

    Raises
    ------
    EclipsError
        If the file is missing, empty, damaged, of an unknown kind, in colour, or holds values that are not numbers.
    """
    path = Path(path)
    head = _head(path)
    reader = _reader_for(path, head)
    try:
        raw = reader(path)
    except (EclipsError, Cancelled):
        raise
    except MemoryError as error:
        raise EclipsError("the image does not fit into memory", where=path.name) from error
    except Exception as error:  # decoders raise anything on damaged files
        raise damaged(path, str(error) or type(error).__name__) from error
    raw = replace(raw, images=tuple(_checked(path, image) for image in raw.images), sha256=sha256_of(path))
    if len({image.shape for image in raw.images}) > 1:
        raise EclipsError("holds images of different sizes", where=path.name, hint="Store images of one size.")
    return raw


def damaged(path: Path, why: str) -> EclipsError:
    """Make the error for a file that cannot be decoded."""
    reason = " ".join(why.split())[:160]
    return EclipsError(
        f"the file is damaged or incomplete ({reason})", where=path.name, hint="Copy or export it again."
    )


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            head = stream.read(64)
    except IsADirectoryError as error:
        raise EclipsError("this is a folder, not an image", where=str(path), hint="Choose the image files.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EclipsError(f"the file cannot be read ({reason})", where=str(path)) from error
    if not head:
        raise EclipsError("the file is empty", where=path.name, hint="Copy or export it again.")
    return head


def _reader_for(path: Path, head: bytes) -> Callable[[Path], RawFile]:
    """Choose the reader by the first bytes, never by the suffix."""
    from eclips_app.io import containers, tiff  # late: they use this module

    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return tiff.read_tiff
    if head.startswith(b"\x89PNG\r\n\x1a\n") or head.startswith(b"\xff\xd8\xff"):
        return read_picture
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return containers.read_hdf5
    if containers.is_jeol(head):
        return containers.read_jeol
    if head.startswith(b"BZh") and path.suffix.lower() == ".elid":
        return containers.read_elid
    plugin = registry.segment_reader_for(path)
    if plugin is not None:
        return functools.partial(_read_with, plugin)
    raise EclipsError(
        "is no image file that can be read here",
        where=path.name,
        hint="Give TIFF, PNG, JPEG, HDF5, JEOL .img or Phenom .elid.",
    )


def _read_with(plugin: SegmentReader, path: Path) -> RawFile:
    """Read a file of a kind that a plugin knows."""
    found = plugin.read_segments(path)
    layout = (len(found),) if len(found) > 1 else ()
    warnings = tuple(dict.fromkeys(warning for image in found for warning in image.warnings))
    images, acquisitions = tuple(i.data for i in found), tuple(i.acquisition for i in found)
    return RawFile(path, images, acquisitions, layout, tuple(i.name for i in found), warnings=warnings)


def read_picture(path: Path) -> RawFile:
    """Read a PNG or JPEG of 8 or 16 bit, grey or grey stored as colour."""
    from PIL import Image

    try:
        picture = Image.open(path, formats=("PNG", "JPEG"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise EclipsError("is too large for this format", where=path.name, hint="Export it as TIFF.") from error
    with picture:
        bytes_claimed = picture.width * picture.height * 4
        if bytes_claimed > min(LARGEST_IMAGE_BYTES, LARGEST_COMPRESSION * path.stat().st_size):
            raise EclipsError(
                f"claims {picture.width} x {picture.height} pixels, more than it can hold", where=path.name
            )
        lossy = picture.format == "JPEG"
        if picture.mode in ("P", "PA"):
            picture.info.pop("transparency", None)
            array = np.asarray(picture.convert("RGB"))
        else:
            array = np.asarray(picture)
    if array.dtype == np.bool_:
        raise EclipsError("is black and white (1 bit)", where=path.name, hint="Give an image with grey values.")
    if array.dtype == np.int32:  # Pillow opens 16 bit PNG of some kinds as 32 bit
        array = array.astype(np.uint16) if array.min() >= 0 and array.max() < 65536 else array
    image = to_grey(path, array, lossy) if array.ndim == 3 else array
    found, warnings = read_metadata(Tags(image.shape[0], image.shape[1], sidecar=read_sidecar(path)))
    warnings += (LOSSY_WARNING,) if lossy else ()
    return RawFile(path, (image,), (found.acquisition,), (), (), found.image_shape, lossy, "", warnings)


def read_sidecar(path: Path) -> str:
    """Read the text file of the same name that some makers write beside the image; empty if there is none."""
    names = dict.fromkeys(p.format(stem=path.stem, suffix=path.suffix.lstrip("."), name=path.name) for p in _SIDECARS)
    for candidate in (path.with_name(name) for name in names):
        try:
            data = candidate.read_bytes() if candidate != path and candidate.stat().st_size < 1_000_000 else b""
        except OSError:
            continue
        if data:
            coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            return data.decode(coding, errors="replace")
    return ""


def to_grey(path: Path, array: NDArray[Any], lossy: bool = False) -> NDArray[Any]:
    """Take one channel of an image [row, col, channel] whose colour channels are equal; alpha (2 or 4 channels) is dropped.

    Raises
    ------
    EclipsError
        If the channels differ (by more than 4 grey values where JPEG has altered them).
    """
    colours = array[..., : array.shape[-1] - 1] if array.shape[-1] in (2, 4) else array
    if array.shape[-1] > 4:
        raise EclipsError(f"has {array.shape[-1]} interleaved channels", where=path.name, hint="Store them as pages.")
    first: NDArray[Any] = colours[..., 0]
    tolerance = 4 if lossy else 0
    for channel in range(1, colours.shape[-1]):
        other = colours[..., channel]
        largest = np.maximum(first, other) - np.minimum(first, other)
        if largest.max(initial=0) > tolerance:
            raise EclipsError(
                "is a colour image", where=path.name, hint="Export the segment as grey values, without a false colour."
            )
    return first


def _checked(path: Path, image: NDArray[Any]) -> NDArray[Any]:
    """Make sure of a real, finite, native, read-only array."""
    if image.dtype.kind not in "uif":
        raise EclipsError(f"holds values of type {image.dtype}, not grey values", where=path.name)
    if min(image.shape) < SMALLEST_EDGE_PX:
        raise EclipsError(
            f"is only {min(image.shape)} pixels wide or high", where=path.name, hint="Give the full images."
        )
    if image.dtype.kind == "f":
        bad = image.size - int(np.count_nonzero(np.isfinite(image)))
        if bad:
            raise EclipsError(
                f"holds values that are not finite numbers, in {bad} of its pixels",
                where=path.name,
                hint="Export it again.",
            )
    image = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("="))
    image.setflags(write=False)
    return image
