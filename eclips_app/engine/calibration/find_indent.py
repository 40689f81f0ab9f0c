"""Finds the imprint of a Vickers indenter: four faces that meet in a point and end at the edges of a square.

Each face is a plane, so every segment has one grey value on it, whatever gain and black level. Place, size and turn of the
square are those for which the images are best described by five grey values each: of the four faces and of the surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.optimize
from numpy.typing import NDArray

from eclips_app.core.calibration import Indent
from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.engine.calibration.view import Images, Mask, View

Float = NDArray[np.float64]
Given = tuple[float | None, float | None, float | None, float | None]  #: row, column, radius, turn, as far as stated

_COARSE_PX = 192  #: rows and columns in which the square is looked for
_SMALLEST_PX = 5.0  #: half diagonal in the coarse image
_WINDOW = 1.6  #: half width of the part compared, in half diagonals
_PIXELS = 40_000  #: of the final comparison
_EVEN = 0.8  #: part of the variance within the square that four grey values must explain
_OFF_DEG = 30.0  #: by which the measured direction of a face may be off
_TURNS_DEG = (-40.0, -25.0, -10.0, 5.0, 20.0, 35.0)


@dataclass(frozen=True)
class Square:
    """Pixels of the crop; `turn` is the azimuth of the normal of face 0 in radians."""

    row: float
    column: float
    radius: float
    turn: float

    def faces(self, rows: NDArray[Any], columns: NDArray[Any]) -> tuple[NDArray[np.int64], Float, Float]:
        """Give for pixels the number of the face, the distance from the square's edge and from the next face in px.

        Distances are positive inside. In a pit the normals lean toward the middle: face 0 lies opposite to its normal's azimuth.
        """
        x, y = columns - self.column, self.row - rows
        angles = self.turn + np.pi + np.arange(4) * np.pi / 2
        out = np.stack([x * np.cos(a) + y * np.sin(a) for a in angles])
        face = out.argmax(axis=0)
        farthest = out.max(axis=0)
        sideways = np.abs(np.take_along_axis(np.roll(out, -1, axis=0), face[None], axis=0)[0])
        return face, self.radius / np.sqrt(2) - farthest, (farthest - sideways) / np.sqrt(2)


def find_indent(indent: Indent, view: View, context: Context) -> Indent:
    """Fill in centre, half diagonal (pixels of the crop) and rotation of an indent.

    Raises
    ------
    EclipsError
        If there is no indent, or its faces do not lean as the detector's azimuths say.
    """
    given = _given(indent)
    if all(value is not None for value in given):
        return indent
    square = _search(given, view, context)
    square = _normal_turn(_sharpened(square, given, view), indent.rotation_deg)
    _check(square, view)
    return replace(
        indent,
        center_px=indent.center_px or (float(square.row), float(square.column)),
        radius_px=indent.radius_px or float(square.radius),
        rotation_deg=float(np.rad2deg(square.turn)) if indent.rotation_deg is None else indent.rotation_deg,
    )


def _given(indent: Indent) -> Given:
    row, column = indent.center_px or (None, None)
    turn = None if indent.rotation_deg is None else float(np.deg2rad(indent.rotation_deg))
    return row, column, indent.radius_px, turn


def _in_blocks(given: Given, edge: int) -> Given:
    """Give what is known in pixels as in blocks of `edge` px."""
    row, column, radius, turn = given
    middle = tuple(None if g is None else (g + 0.5) / edge - 0.5 for g in (row, column))
    return middle[0], middle[1], None if radius is None else radius / edge, turn


def _no_indent() -> EclipsError:
    return EclipsError(
        "no indent was found in the images: nowhere do four even faces meet within a square",
        hint="Show the whole imprint, draw its centre and corner by hand, or choose another kind of object.",
    )


def _search(given: Given, view: View, context: Context) -> Square:
    """Find the square in an image of blocks."""
    images, seen, edge = view.coarse(_COARSE_PX)
    coarse = _in_blocks(given, edge)
    best, best_cost = None, np.inf
    for start in _starts(images, seen):
        context.check()
        known = [s if g is None else g for s, g in zip(astuple(start), coarse, strict=True)]
        square, cost = _fit(images, seen, Square(*known), coarse)
        if cost < best_cost:
            best, best_cost = square, cost
    if best is None:
        raise _no_indent()
    return Square((best.row + 0.5) * edge - 0.5, (best.column + 0.5) * edge - 0.5, best.radius * edge, best.turn)


def _starts(images: Images, seen: Mask) -> Iterator[Square]:
    """Give squares to start from: about the largest parts that differ from the rest, and as large as the image."""
    smooth = scipy.ndimage.gaussian_filter(images, (0, 1.0, 1.0))
    contrast = np.sqrt((smooth**2).sum(axis=0)) * seen
    noise = float(np.median(contrast[seen])) if seen.any() else 0.0
    limits = (4 * noise, 0.4 * float(np.percentile(contrast, 99.5)))
    places = []
    for limit in limits:
        parts, _ = scipy.ndimage.label(scipy.ndimage.binary_opening(contrast > limit, iterations=1))
        sizes = np.bincount(parts.ravel())[1:]
        for number in np.argsort(-sizes)[:2]:
            filled = scipy.ndimage.binary_fill_holes(parts == number + 1)
            row, column = scipy.ndimage.center_of_mass(filled)
            places.append((row, column, float(np.sqrt(filled.sum() / 2))))
    rows, columns = images.shape[1:]
    places += [(rows / 2, columns / 2, share * min(rows, columns)) for share in (0.35, 0.6)]
    for row, column, radius in places:
        if radius > _SMALLEST_PX:
            yield from (Square(row, column, radius, float(np.deg2rad(turn))) for turn in _TURNS_DEG)


def _fit(images: Images, seen: Mask, start: Square, given: Given) -> tuple[Square, float]:
    """Move a square to where five grey values describe each image best; gives the part of the variance that they leave."""
    reach = _WINDOW * start.radius
    rows = slice(max(0, int(start.row - reach)), max(0, int(start.row + reach) + 1))
    columns = slice(max(0, int(start.column - reach)), max(0, int(start.column + reach) + 1))
    part, good = images[:, rows, columns], seen[rows, columns]
    if np.count_nonzero(good) < 100:
        return start, np.inf
    r, c = np.nonzero(good)
    values = part[:, good].astype(float)
    r, c = r + rows.start, c + columns.start
    total = float(values.var(axis=1).sum()) * values.shape[1]
    origin = np.array([start.row, start.column, start.radius, start.turn])
    unit = np.array([start.radius, start.radius, start.radius, 1.0])
    free = np.array([g is None for g in given])

    def cost(step: Float) -> float:
        at = origin.copy()
        at[free] += step * unit[free]
        if not 0.5 < at[2] / start.radius < 1.6:
            return 2.0
        face, edge, _ = Square(*at).faces(r, c)
        return float(_left(values, np.where(edge > 0, face, 4)) / max(total, 1e-30))

    corners = np.vstack([np.zeros(free.sum()), 0.15 * np.eye(free.sum())])
    found = scipy.optimize.minimize(
        cost, corners[0], method="Nelder-Mead", options={"initial_simplex": corners, "xatol": 1e-4, "fatol": 1e-6}
    )
    origin[free] += found.x * unit[free]
    return Square(*(float(x) for x in origin)), float(found.fun)


def _left(values: Float, area: NDArray[np.int64]) -> float:
    """Sum of squares that the means of the areas leave of values [k, n]."""
    count = np.maximum(np.bincount(area, minlength=5), 1)
    sums = np.stack([np.bincount(area, each, minlength=5) for each in values])
    return float((values**2).sum() - (sums**2 / count).sum())


def _sharpened(square: Square, given: Given, view: View) -> Square:
    """Fit the square to the images in as much detail as its comparison can take."""
    edge = max(1, round(2 * _WINDOW * square.radius / _PIXELS**0.5))
    images, whole = view.thinned(edge)
    smaller = _in_blocks(given, edge)
    start = Square(
        (square.row + 0.5) / edge - 0.5, (square.column + 0.5) / edge - 0.5, square.radius / edge, square.turn
    )
    found, _ = _fit(images, whole, start, smaller)
    return Square((found.row + 0.5) * edge - 0.5, (found.column + 0.5) * edge - 0.5, found.radius * edge, found.turn)


def _normal_turn(square: Square, rotation_deg: float | None) -> Square:
    """Count the faces from the one whose normal's azimuth lies in [-45, 45) degrees."""
    if rotation_deg is not None:
        return square
    quarter = np.pi / 2
    return replace(square, turn=float((square.turn + quarter / 2) % quarter - quarter / 2))


def face_azimuths(square: Square, view: View) -> tuple[Float, float]:
    """Give the azimuths (deg) of the normals of the faces as measured, and what part of the variance the faces explain.

    Four faces of one tilt are level on average; that makes the segments comparable without their gains.
    """
    rows, columns = np.indices(view.shape)
    face, edge, ridge = square.faces(rows, columns)
    margin = max(1.0, 0.06 * square.radius)
    inside = (edge > margin) & (ridge > margin) & view.all_seen
    if any(np.count_nonzero(inside & (face == k)) < 10 for k in range(4)):
        raise _no_indent()
    smooth = scipy.ndimage.gaussian_filter(view.signals, (0, 0.01 * square.radius, 0.01 * square.radius))
    values, number = smooth[:, inside].astype(float), face[inside]
    means = np.stack([values[:, number == k].mean(axis=1) for k in range(4)], axis=1)
    left = ((values - means[:, number]) ** 2).sum(axis=1)
    level = means.mean(axis=1, keepdims=True)
    shares = 1 - left / np.maximum(((values - level) ** 2).sum(axis=1), 1e-30)
    b = np.linalg.pinv(view.vectors) @ (means / level * view.vectors[:, 2:])
    return np.rad2deg(np.arctan2(b[1], b[0])), float(np.median(shares))


def _check(square: Square, view: View) -> None:
    azimuths, share = face_azimuths(square, view)
    expected = np.rad2deg(square.turn) + 90.0 * np.arange(4)
    off = (azimuths - expected + 180) % 360 - 180
    apart = (np.roll(azimuths, -1) - azimuths) % 360
    if share < _EVEN or (np.abs(apart - 90) > _OFF_DEG).any():
        raise _no_indent()
    mean = float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(off)).mean())))
    if abs(mean) > _OFF_DEG:
        raise EclipsError(
            f"the faces of the indent lean {abs(mean):.0f} degrees off the directions in which they must for an imprint",
            hint="Check the order of the images and the azimuths of the detector's segments.",
        )
