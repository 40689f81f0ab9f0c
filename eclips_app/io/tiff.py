"""Reading TIFF: any page count, compression and type, the pages of one size as images."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.io import readers
from eclips_app.io.height_tiff import is_park_tiff
from eclips_app.io.readers import RawFile
from eclips_app.io.vendor import read_metadata
from eclips_app.io.vendor.tags import Tags

#: TIFF's numbers for JPEG compressions, and for kinds of pixels.
_LOSSY = (6, 7, 34892)
_WHITE_IS_ZERO, _PALETTE, _GREY_OR_COLOUR = 0, 3, (0, 1, 2, 3, 6)


def read_tiff(path: Path) -> RawFile:
    """Read a TIFF of any page count and compression; pages smaller than the largest (thumbnails) are left out."""
    import tifffile

    # What it logs about damaged files comes to the user as an error or not at all, never as text on the terminal.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    if is_park_tiff(path):
        raise EclipsError(
            "holds the heights of an AFM, no segment image", where=path.name, hint="Choose Profile > Load height map."
        )
    with tifffile.TiffFile(path) as tiff:
        kept = [s for s in tiff.series if s.axes.rstrip("S").endswith("YX") and min(s.shape, default=0) > 0]
        if not kept:
            raise EclipsError("holds no image", where=path.name, hint="Copy or export it again.")
        area = max(math.prod(_plane_shape(s)) for s in kept)
        large = [s for s in kept if math.prod(_plane_shape(s)) == area]
        if len({(s.dtype, s.shape[-1] if s.axes.endswith("S") else 1) for s in large}) > 1:
            raise EclipsError("mixes pages of different types", where=path.name, hint="Store pages of one type.")
        images: list[NDArray[Any]] = []
        for series in large:
            _check_size(path, series)
            images.extend(_planes(path, series))
        page = large[0].pages[0]
        rows, columns = images[0].shape
        tags = Tags(rows, columns, tiff=_tags_of(page), sidecar=readers.read_sidecar(path))
        compression = int(page.compression)
    found, warnings = read_metadata(tags)
    if len(kept) > len(large):
        warnings += ("smaller images in the file (thumbnails) were left out",)
    lossy = compression in _LOSSY
    layout = _layout(path, large[0]) if len(large) == 1 else (len(images),)
    if len(layout) == 2 and _segments_first(large[0]):
        segments, frames = layout
        images = [images[k * frames + t] for t in range(frames) for k in range(segments)]
        layout = (frames, segments)
    return RawFile(
        path, tuple(images), (found.acquisition,) * len(images), layout, (), found.image_shape, lossy, "",
        warnings + ((readers.LOSSY_WARNING,) if lossy else ()),
    )  # fmt: skip


def _plane_shape(series: Any) -> tuple[int, int]:
    rows, columns = series.shape[-3:-1] if series.axes.endswith("S") else series.shape[-2:]
    return int(rows), int(columns)


def _check_size(path: Path, series: Any) -> None:
    """Refuse headers that claim more than the file can hold, before memory is asked for."""
    size = path.stat().st_size
    per_image = math.prod(_plane_shape(series)) * series.dtype.itemsize
    if per_image > readers.LARGEST_IMAGE_BYTES or series.nbytes > readers.LARGEST_COMPRESSION * size:
        rows, columns = _plane_shape(series)
        raise EclipsError(
            f"claims {columns} x {rows} pixels, more than it can hold", where=path.name, hint="Copy or export it again."
        )
    if (edge := min(_plane_shape(series))) < readers.SMALLEST_EDGE_PX:
        raise EclipsError(f"is only {edge} pixels wide or high", where=path.name, hint="Give the full images.")
    for page in series.pages:
        if page is None:
            raise readers.damaged(path, "a page is missing")
        counts = page.databytecounts
        if len(series.pages) > 1 or series.nbytes == page.nbytes:  # else one page stands for a whole ImageJ stack
            for start, count in zip(page.dataoffsets, counts, strict=True):
                if count <= 0 or start + count > size:
                    raise readers.damaged(path, "image data are missing at the end")


def _planes(path: Path, series: Any) -> list[NDArray[Any]]:
    array = series.asarray()
    if array.dtype == np.bool_:
        raise EclipsError("is black and white (1 bit)", where=path.name, hint="Give an image with grey values.")
    page = series.pages[0]
    if series.axes.endswith("S"):
        array = readers.to_grey(path, array.reshape(-1, *array.shape[-3:]), int(page.compression) in _LOSSY)
    array = array.reshape(-1, *array.shape[-2:])
    if int(page.photometric) == _PALETTE and page.colormap is not None:
        array = _through_palette(path, array, page.colormap)
    elif int(page.photometric) == _WHITE_IS_ZERO and array.dtype.kind == "u":
        array = np.iinfo(array.dtype).max - array
    elif int(page.photometric) not in _GREY_OR_COLOUR:
        raise EclipsError("is no grey image", where=path.name, hint="Export the segment as grey values.")
    return list(array)


def _through_palette(path: Path, array: NDArray[Any], palette: NDArray[Any]) -> NDArray[Any]:
    """Turn palette indices into grey values; a grey ramp with a few colours for annotations stays as it is."""
    levels = np.asarray(palette) // 256
    grey = (levels == levels[0]).all(0)
    ramp = grey & (np.abs(levels[0].astype(int) - np.arange(levels.shape[1])) <= 1)
    if ramp.sum() >= 0.8 * ramp.size:
        return array
    if not grey.all():
        raise EclipsError("is a false-colour image", where=path.name, hint="Export the segment as grey values.")
    mapped: NDArray[Any] = levels[0].astype(np.uint8)[array]
    return mapped


def _layout(path: Path, series: Any) -> tuple[int, ...]:
    axes = series.axes.removesuffix("S")[:-2]
    sizes = [(axis, n) for axis, n in zip(axes, series.shape, strict=False) if n > 1]
    if len(sizes) <= 1:
        return tuple(n for _, n in sizes)
    if len(sizes) == 2:
        return sizes[0][1], sizes[1][1]
    raise EclipsError(
        f"has {len(sizes)} axes besides rows and columns", where=path.name, hint="Keep time and channels."
    )


def _segments_first(series: Any) -> bool:
    """Tell whether the file names its axes and channels stand before frames."""
    axes = [axis for axis, n in zip(series.axes.removesuffix("S")[:-2], series.shape, strict=False) if n > 1]
    return bool(axes[0] == "C" or axes[1] == "T")


def _tags_of(page: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for tag in page.tags.values():
        try:
            found[int(tag.code)] = tag.value
        except Exception:
            continue
    return found
