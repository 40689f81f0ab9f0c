"""Why the height of a pixel is uncertain, and what would help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.deviations import CLIPPED, FLAGS, NO_DATA, OCCLUDED, OUT_OF_MODEL
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.metrology.deviations import Budget, Deviations, Share

#: From here on chi-square, which Standard and Metrology smooth over some pixels, is more than its own scatter.
_MUCH = 2.0
_LITTLE = 0.5
#: That of a linear run belongs to one pixel, with one degree of freedom: noise goes beyond this in 0.2 % of all pixels.
_MUCH_ALONE = 10.0

#: What helps against a flag; the first one that is set is told.
_AGAINST_FLAGS = {
    NO_DATA: "Nothing was measured here; the height is carried across from around it. Exclude less, or use images that are "
    "not clipped or empty here.",
    OCCLUDED: "Other parts of the surface hide this place from much of the detector. More dose does not help: only another "
    "view does, with the specimen turned or tilted.",
    OUT_OF_MODEL: "Something other than noise is left over here. Look at the Check panel: the residuals show whether it is a "
    "shadow, an edge sharper than a pixel, or another material.",
    CLIPPED: "A segment is clipped here and counts for nothing. Record the images with less brightness or contrast.",
}
_AGAINST_PARTS = {
    "noise": "More dose, or averaging over a width: noise is the largest part here.",
    "gains": "State or calibrate gains and offsets of the segments: they are the largest part here.",
    "geometry": "Calibrate the detector's geometry{first}: it is the largest part here.",
    "emission": "Choose the emission of the right material: the difference between emission models is the largest part here.",
    "pixel size": "Calibrate the magnification on a grid or step standard: the pixel size is the largest part here.",
    "model": "Look at the Check panel: what the model does not explain is the largest part here.",
}
_NO_BUDGET = "Reconstruct with Standard or Metrology: the ± of this run is the noise of the images alone."
_STOPPED = "Let a run end by itself: this one was stopped, and its ± is the noise of the images as Live sees it."


@dataclass(frozen=True)
class PixelReport:
    """What is known of one pixel; texts are whole sentences for the user, empty where there is nothing to say."""

    column: int  #: of the uncropped image
    row: int
    height_nm: Quantity
    tilt_deg: float  #: of the surface against the image plane
    budget: Budget | None
    flags: tuple[str, ...]
    chi2: str
    advice: str


def pixel_report(
    arrays: Mapping[str, NDArray[Any]], info: Mapping[str, Any], params: Mapping[str, Any], column: int, row: int
) -> PixelReport:
    """Report on a pixel of a run.

    Parameters
    ----------
    arrays, info, params : mapping
        Of the run, as in `model.items.Run`.
    column, row : int
        Pixel of the uncropped image.

    Raises
    ------
    EclipsError
        If the height map does not cover the pixel.
    """
    height = arrays["height"]
    r, c = row - int(params["crop"][0]), column - int(params["crop"][1])
    if not (0 <= r < height.shape[0] and 0 <= c < height.shape[1]):
        raise EclipsError(f"the height map does not cover the pixel {column}, {row}")
    deviations = Deviations.of_run(arrays, info, params)
    budget = deviations.budget(deviations.at(r, c)) if deviations is not None else None
    std = budget.std if budget is not None else _value(arrays, "height_std", r, c)
    was_stopped = bool(info.get("stopped"))  # only a fit can be, and its chi-square is smoothed
    flags = int(arrays["flags"][r, c]) if "flags" in arrays else 0
    chi2, known = _value(arrays, "chi2", r, c), _value(arrays, "chi2_known", r, c)
    return PixelReport(
        column, row, Quantity(float(height[r, c]), "nm", std), _tilt_deg(arrays, r, c, float(params["pixel_size_nm"])),
        budget, tuple(text for bit, text in FLAGS.items() if flags & bit),
        _chi2_text(chi2, known, smoothed=budget is not None or was_stopped) if "chi2" in arrays else "",
        _advice(flags, budget, _STOPPED if was_stopped else _NO_BUDGET),
    )  # fmt: skip


def _value(arrays: Mapping[str, NDArray[Any]], name: str, row: int, column: int) -> float | None:
    """Give a pixel of an array; None where there is no array or no value."""
    value = float(arrays[name][row, column]) if name in arrays else math.nan
    return value if math.isfinite(value) else None


def _tilt_deg(arrays: Mapping[str, NDArray[Any]], row: int, column: int, pixel_size_nm: float) -> float:
    if "normals" in arrays:
        x, y, z = (float(part) for part in arrays["normals"][:, row, column])
        return math.degrees(math.atan2(math.hypot(x, y), z))
    rows, columns = arrays["height"].shape
    top, left = max(row - 1, 0), max(column - 1, 0)
    part = arrays["height"][top : min(row + 2, rows), left : min(column + 2, columns)].astype(np.float64)
    steps = [float(np.diff(part, axis=axis).mean()) if part.shape[axis] > 1 else 0.0 for axis in (0, 1)]
    return math.degrees(math.atan(math.hypot(*steps) / pixel_size_nm))


def _chi2_text(chi2: float | None, known: float | None, *, smoothed: bool) -> str:
    if chi2 is None:
        return "χ² tests nothing here: that takes four usable segments."
    if not smoothed and chi2 <= _MUCH_ALONE:
        return f"χ² is {chi2:.2g}: within what noise does to a single pixel."
    if chi2 > _MUCH:
        text = f"χ² is {chi2:.2g}: the images differ from the model by more than noise."
    elif chi2 < _LITTLE:
        text = f"χ² is {chi2:.2g}: less is left over than the noise assumed; it is probably taken too high."
    else:
        text = f"χ² is {chi2:.2g}: what is left over is noise."
    if known is not None and known > _MUCH and known > 1.5 * chi2:
        text += (
            f" With the brightness of the material it is {known:.2g}: either the material is another here, "
            "or a wrong slope passes for a brightness."
        )
    return text


def _advice(flags: int, budget: Budget | None, without: str) -> str:
    for bit, text in _AGAINST_FLAGS.items():
        if flags & bit:
            return text
    if budget is None:
        return without
    largest = budget.largest
    return _against(largest) if largest is not None else ""


def _against(share: Share) -> str:
    first = f", first its {share.largest}" if share.largest else ""
    return _AGAINST_PARTS.get(share.part, "").format(first=first)
