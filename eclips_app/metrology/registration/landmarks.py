"""A pose from pairs of points that were set by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.metrology.registration.features import similarity
from eclips_app.metrology.registration.pose import Frames, Pose


def pose(pairs: Sequence[tuple[float, float, float, float]], frames: Frames) -> Pose:
    """Fit a pose to pairs (map column, map row, image column, image row): a similarity to two, an affine map to more.

    Raises
    ------
    EclipsError
        If there are fewer than two pairs, or they lie on one point (on one line, for three and more), or mirror the map.
    """
    if len(pairs) < 2:
        raise EclipsError(f"{len(pairs)} landmark is too few to place a map", hint="Set two or more pairs of points.")
    points = np.array(pairs, np.float64)
    rows, columns = frames.map_shape
    column, row = frames.image_middle_px
    x = (points[:, 0] - (columns - 1) / 2) * frames.map_pixel_nm[0]
    y = ((rows - 1) / 2 - points[:, 1]) * frames.map_pixel_nm[1]
    u = (points[:, 2] - column) * frames.image_pixel_nm
    v = (row - points[:, 3]) * frames.image_pixel_nm
    far = float(np.hypot(x - x.mean(), y - y.mean()).max())
    if far < 1e-6 * frames.map_pixel_nm[0] or np.hypot(u - u.mean(), v - v.mean()).max() == 0:
        raise EclipsError("the landmarks lie on one point", hint="Set them far apart.")
    if len(pairs) == 2:
        factor, shift = similarity(x + 1j * y, u + 1j * v)
        return Pose.similar(shift.real, shift.imag, float(np.angle(factor, deg=True)), abs(factor))
    design = np.stack([np.ones_like(x), x, y], axis=1)
    if np.linalg.svd(np.stack([x - x.mean(), y - y.mean()]), compute_uv=False)[1] < 0.02 * far:
        raise EclipsError("the landmarks lie on one line", hint="Set one of them aside, or use two only.")
    fitted = np.asarray(np.linalg.lstsq(design, np.stack([u, v], axis=1), rcond=None)[0], np.float64)
    matrix = fitted[1:].T
    if np.linalg.det(matrix) <= 0:
        raise EclipsError("the landmarks mirror the map", hint="Check their order.")
    return Pose(fitted[0], matrix)
