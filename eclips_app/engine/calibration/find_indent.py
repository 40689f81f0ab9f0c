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
_TRIED = 8  #: starts that are followed
_PIXELS = 40_000  #: of the final comparison
_EVEN = 0.8  #: part of the variance within the square that four grey values must explain
_SMOOTH = 0.03  #: half diagonals over which noise is averaged before that
_OFF_DEG = 30.0  #: by which the measured direction of a face may be off
_TURNS_DEG = (-40.0, -25.0, -10.0, 5.0, 20.0, 35.0)


@dataclass(frozen=True)
class Square:
    """Pixels of the crop; `turn` is the azimuth of the normal of face 0 in radians."""

    row: float
    column: float
    radius: float
    turn: float

    def scaled(self, edge: float) -> Square:
        """Give the square in pixels of the full image if this is one of blocks of `edge` pixels."""
        row, column = (self.row + 0.5) * edge - 0.5, (self.column + 0.5) * edge - 0.5
        return Square(row, column, self.radius * edge, self.turn)

    def faces(
        self, rows: NDArray[Any], columns: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], Float, Float]:
        """Give for pixels the face, the one next to it, and the distances from the square's edge and from the next face in px.

        Distances are positive inside. In a pit the normals lean toward the middle: face 0 lies opposite to its normal's azimuth.
        """
        x, y = columns - self.column, self.row - rows
        angle = self.turn + np.pi
        first, second = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        along = np.abs(first) > np.abs(second)
        ahead, aside = np.where(along, first, second), np.where(along, second, first)
        face = np.where(along, 0, 1) + np.where(ahead < 0, 2, 0)
        beside = np.where(along, 1, 0) + np.where(aside < 0, 2, 0)
        out = np.abs(ahead)
        return face, beside, self.radius / np.sqrt(2) - out, (out - np.abs(aside)) / np.sqrt(2)

    def shares(self, rows: NDArray[Any], columns: NDArray[Any]) -> Float:
        """Give the parts of pixels that lie on each face and outside, [n, 5]; a pixel is as wide as the step between two."""
        face, beside, edge, ridge = self.faces(rows, columns)
        inside = np.clip(edge + 0.5, 0.0, 1.0)
        own = 0.5 + np.minimum(ridge, 0.5)
        found = np.zeros((len(face), 5))
        at = np.arange(len(face))
        found[at, face] = inside * own
        found[at, beside] += inside * (1 - own)
        found[:, 4] = 1 - inside
        return found


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
        hint="Check the order of the images, show the whole imprint, or draw its centre and corner by hand.",
    )


def _search(given: Given, view: View, context: Context) -> Square:
    """Find the square in an image of blocks."""
    images, seen, edge = view.coarse(_COARSE_PX)
    coarse = _in_blocks(given, edge)
    fits = []
    for start in _starts(images, seen):
        known = [s if g is None else g for s, g in zip(astuple(start), coarse, strict=True)]
        fits.append(Fit(images, seen, Square(*known), coarse))
    fits = sorted((each for each in fits if each.values.size), key=lambda each: each.cost())[:_TRIED]
    best, least = None, np.inf
    for each in fits:
        context.check()
        square, cost = each.run()
        if cost < least:
            best, least = square, cost
    if best is None:
        raise _no_indent()
    return best.scaled(edge)


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


class Fit:
    """The square about a start for which five grey values describe each image best; what is given does not move."""

    def __init__(self, images: Images, seen: Mask, start: Square, given: Given) -> None:
        reach = _WINDOW * start.radius
        rows = slice(max(0, int(start.row - reach)), max(0, int(start.row + reach) + 1))
        columns = slice(max(0, int(start.column - reach)), max(0, int(start.column + reach) + 1))
        good = seen[rows, columns]
        r, c = np.nonzero(good)
        self.rows, self.columns = r + rows.start, c + columns.start
        values = images[:, rows, columns][:, good].T.astype(float)
        self.values = values - (values.mean(axis=0) if len(values) else 0.0)
        self.total = float((self.values**2).sum())
        self.origin = np.array(astuple(start))
        self.unit = np.array([start.radius, start.radius, start.radius, 1.0])
        self.free = np.array([g is None for g in given])

    def square(self, step: Float) -> Square:
        """Give the square after a step [free parameters], in half diagonals and radians."""
        at = self.origin.copy()
        at[self.free] += step * self.unit[self.free]
        return Square(*(float(x) for x in at))

    def cost(self, step: Float | None = None) -> float:
        """Give the part of the variance that the five values leave."""
        square = self.square(np.zeros(self.free.sum()) if step is None else step)
        if not 0.5 < square.radius / self.origin[2] < 1.6:
            return 2.0
        shares = square.shares(self.rows, self.columns)
        sums = shares.T @ self.values
        gram = shares.T @ shares + 1e-9 * np.eye(5)
        explained = float((sums * np.linalg.solve(gram, sums)).sum())
        return max(0.0, 1 - explained / max(self.total, 1e-30))

    def run(self) -> tuple[Square, float]:
        """Give the best square and its cost."""
        corners = np.vstack([np.zeros(self.free.sum()), 0.15 * np.eye(self.free.sum())])
        options = {"initial_simplex": corners, "xatol": 1e-4, "fatol": 1e-6}
        found = scipy.optimize.minimize(self.cost, corners[0], method="Nelder-Mead", options=options)
        return self.square(found.x), float(found.fun)


def _sharpened(square: Square, given: Given, view: View) -> Square:
    """Fit the square to the images in as much detail as its comparison can take."""
    edge = max(1, round(2 * _WINDOW * square.radius / _PIXELS**0.5))
    images, seen = view.thinned(edge)
    return Fit(images, seen, square.scaled(1 / edge), _in_blocks(given, edge)).run()[0].scaled(edge)


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
    face, _, edge, ridge = square.faces(rows, columns)
    margin = max(1.0, 0.06 * square.radius)
    inside = (edge > margin) & (ridge > margin) & view.all_seen
    if any(np.count_nonzero(inside & (face == k)) < 10 for k in range(4)):
        raise _no_indent()
    smooth = scipy.ndimage.gaussian_filter(view.signals, (0, _SMOOTH * square.radius, _SMOOTH * square.radius))
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
