"""Blind estimation: the bluntest tip that can have made an image [Villarrubia, J. Res. NIST 102 (1997) 425]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.metrology.tip import Floats, Tip

_PEAKS = 400  #: image points that a partial blind estimate looks at


def blind(
    image: NDArray[np.floating],
    pixel_nm: tuple[float, float],
    *,
    half_width_px: int = 12,
    threshold_nm: float = 0.0,
    all_points: bool = False,
    context: Context | None = None,
) -> Tip:
    """Estimate the bluntest tip that can have made an image [Villarrubia 1997, sec. 4].

    Parameters
    ----------
    image : array [row, col]
        Heights in nm, levelled; NaN at holes.
    half_width_px : int
        Half width of the estimated tip.
    threshold_nm : float
        What the image may contradict a tip by: its noise, peak to peak. Too small a value makes the tip too sharp.
    all_points : bool
        Look at every pixel ("full") instead of the peaks ("partial").

    Returns
    -------
    Tip
        Nowhere sharper than the true tip, if the threshold covers the noise.
    """
    context = context or SilentContext()
    m = half_width_px
    if not (1 <= m <= 60 and min(image.shape) > 4 * m):
        raise EclipsError(f"a tip of {2 * m + 1} pixels cannot be estimated from this image", hint="Make it smaller.")
    values = np.where(np.isfinite(image), image, np.inf)
    values = np.pad(values, 2 * m, constant_values=np.inf)  # beyond the border nothing contradicts
    points = _points_to_look_at(image, m, all_points) + 2 * m
    tip = np.zeros((2 * m + 1, 2 * m + 1))
    for sweep in range(20):
        changed = False
        for number, (row, column) in enumerate(points):
            if number % 50 == 0:
                context.progress(min(0.95, (sweep + number / len(points)) / 8), "Estimating the tip")
            window = values[row - 2 * m : row + 2 * m + 1, column - 2 * m : column + 2 * m + 1]
            changed |= _contradict(tip, window - values[row, column], m, threshold_nm)
        if not changed:
            break
    return Tip(tip, pixel_nm, "blind estimate")


def _points_to_look_at(image: NDArray[np.floating], m: int, every: bool) -> NDArray[np.intp]:
    known = np.isfinite(image)
    if every:
        return np.argwhere(known)
    solid = np.where(known, image, -np.inf)
    peaks = (solid == ndimage.maximum_filter(solid, 3)) & known
    found = np.argwhere(peaks)
    # The sharpest peaks say most.
    curvature = ndimage.gaussian_laplace(np.where(known, image, np.nanmedian(image)), max(1.0, m / 6))
    order = np.argsort(curvature[peaks], kind="stable")
    return np.asarray(found[order[:_PEAKS]], np.intp)


def _contradict(tip: Floats, window: Floats, m: int, threshold: float) -> bool:
    """Raise a tip where the neighbourhood of an image point, in heights over it, contradicts it; say whether it did.

    If the tip touched the surface at the offset d, ``s(x + d) = i(x) + t(d)``, and i is nowhere below s: only offsets with
    ``i(x + d) >= i(x) + t(d)`` are possible, but for the threshold, which keeps those that noise hides. With the apex at
    ``x + d - e`` the tip would touch there with its part e, so that ``t(e) >= i(x) + t(d) - i(x + d - e)`` for at least one
    possible d.
    """
    size = 2 * m + 1
    possible = np.argwhere(window[m : 3 * m + 1, m : 3 * m + 1] >= tip - threshold)
    least = np.full((size, size), np.inf)
    for i, j in possible:
        # Offsets e run against the window: i(x + d - e) for e from -m to m.
        seen = window[i : i + size, j : j + size][::-1, ::-1]
        np.minimum(least, tip[i, j] - seen, out=least)
    raised = np.isfinite(least) & (least > tip + threshold)
    tip[raised] = least[raised] - threshold
    tip[m, m] = 0.0
    return bool(raised.any())
